"""Those who decide which samples are worth a gradient step."""
