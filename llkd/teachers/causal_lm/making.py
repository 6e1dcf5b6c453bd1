"""From a spec to the teacher that it asks for; its model is loaded when it is first asked."""

from collections.abc import Sequence

import torch

from llkd.base_models import ModelSource, fingerprint, locate
from llkd.model_kinds import CAUSAL_LM
from llkd.precision import choose_precision
from llkd.specs import Label
from llkd.specs.teachers import HuggingFaceTeacher
from llkd.teachers.causal_lm.prompt import Prompt
from llkd.teachers.causal_lm.prompt_scorer import PromptScorer
from llkd.teachers.causal_lm.teacher import CausalLMTeacher

# Questions at once: about a full pack of short texts on the device. On a processor a large
# model takes its time, and a job says after each batch that it is alive.
_BATCH_SIZE = {"cpu": 16, "cuda": 64}


def make_causal_lm(
    spec: HuggingFaceTeacher, labels: Sequence[Label], *, instruction: str, source: ModelSource
) -> CausalLMTeacher:
    """Build the teacher for the GPU if one is visible, else for the processor.

    Raises:
        ModelNotAllowed: the model cannot be loaded safely, or is no causal language model.
    """
    folder = locate(spec.model, revision=spec.revision, source=source, kind=CAUSAL_LM)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = choose_precision(spec.precision, device)
    prompt = Prompt(tuple(labels), instruction, spec.examples_per_label)
    return CausalLMTeacher(
        prompt,
        model=spec.model,
        weights_sha256=fingerprint(folder, kind=CAUSAL_LM),
        number_format=str(dtype),
        batch_size=_BATCH_SIZE[device.type],
        load_scorer=lambda: PromptScorer.from_folder(folder, prompt, dtype=dtype, device=device),
    )
