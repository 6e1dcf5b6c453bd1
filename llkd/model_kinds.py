"""What models there are, and which files of each kind are fetched, read and told apart by."""

from dataclasses import dataclass

CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
SPECIAL_TOKENS = "special_tokens_map.json"
GENERATION_CONFIG = "generation_config.json"
CHAT_TEMPLATE = "chat_template.jinja"
WEIGHTS = "model.safetensors"
SHARD_INDEX = f"{WEIGHTS}.index.json"


@dataclass(frozen=True)
class ModelKind:
    """One use of base models.

    Attributes:
        what: what such a model is, in words that follow "only".
        families: values of `model_type` that are allowed: their code is part of
            transformers, and they do what this use needs.
        files: what is fetched from a hub, and all that is ever read of a folder.
        deciding: files beside the weights that decide a model's answers, where they exist.
    """

    what: str
    families: frozenset[str]
    files: tuple[str, ...]
    deciding: tuple[str, ...]


# The index is needed beside the shards it names; its names are checked.
_ALWAYS_READ = (
    "*.safetensors",
    SHARD_INDEX,
    CONFIG,
    TOKENIZER,
    TOKENIZER_CONFIG,
    SPECIAL_TOKENS,
)

# Their last hidden state is one vector a token; a decoder or a vision model would load,
# and then learn nothing useful.
ENCODER = ModelKind(
    what="text encoders",
    families=frozenset(
        {
            "albert",
            "bert",
            "camembert",
            "deberta",
            "deberta-v2",
            "distilbert",
            "electra",
            "ernie",
            "modernbert",
            "mpnet",
            "roberta",
            "roberta-prelayernorm",
            "xlm-roberta",
            "xlm-roberta-xl",
        }
    ),
    files=_ALWAYS_READ,
    deciding=(CONFIG, TOKENIZER),
)

# Text alone goes in and comes out. How each of them scores is found out when it is used.
CAUSAL_LM = ModelKind(
    what="causal language models",
    families=frozenset(
        {
            "apertus",
            "arcee",
            "cohere",
            "cohere2",
            "ernie4_5",
            "exaone4",
            "falcon",
            "gemma",
            "gemma2",
            "gemma3_text",
            "glm",
            "glm4",
            "gpt2",
            "gpt_neox",
            "granite",
            "granitemoe",
            "helium",
            "llama",
            "mistral",
            "mixtral",
            "nemotron",
            "olmo",
            "olmo2",
            "olmo3",
            "olmoe",
            "phi",
            "phi3",
            "qwen2",
            "qwen2_moe",
            "qwen3",
            "qwen3_moe",
            "seed_oss",
            "smollm3",
            "stablelm",
            "starcoder2",
        }
    ),
    files=(*_ALWAYS_READ, GENERATION_CONFIG, CHAT_TEMPLATE),
    # Special tokens and the chat's frame stand beside the tokenizer.
    deciding=(CONFIG, TOKENIZER, TOKENIZER_CONFIG, SPECIAL_TOKENS, CHAT_TEMPLATE),
)
