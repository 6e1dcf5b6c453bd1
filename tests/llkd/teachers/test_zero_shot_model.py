"""Which folder judges by inference, which by vectors, and which not at all."""

import pytest

from llkd.errors import ModelNotAllowed
from llkd.teachers.zero_shot_model import Inference, read_inference
from tests.llkd.tiny_bert import write_tiny_bert
from tests.llkd.tiny_inference import with_architecture, write_tiny_inference


class TestReadInference:
    @pytest.mark.parametrize(
        ("outputs", "expected"),
        [
            (("contradiction", "neutral", "entailment"), Inference(2, (0,))),
            (("ENTAILMENT", "NEUTRAL", "CONTRADICTION"), Inference(0, (2,))),
            (("entailment", "not_entailment"), Inference(0, (1,))),
            (("entailment", "neutral", "other"), Inference(0, (1, 2))),
        ],
    )
    def test_entailment_is_found_by_its_name(self, tmp_path, outputs, expected):
        assert read_inference(write_tiny_inference(tmp_path, outputs=outputs)) == expected

    @pytest.mark.parametrize(
        "outputs",
        [("negative", "positive"), ("LABEL_0", "LABEL_1", "LABEL_2"), ("entails", "entailment")],
    )
    def test_a_classifier_of_something_else_is_refused(self, tmp_path, outputs):
        folder = write_tiny_inference(tmp_path, outputs=outputs)
        with pytest.raises(ModelNotAllowed, match=f"{outputs[0].lower()}.*'entailment'"):
            read_inference(folder)

    @pytest.mark.parametrize("architectures", [("BertModel",), ("BertForMaskedLM",), ()])
    def test_a_plain_encoder_has_no_outputs(self, tmp_path, architectures):
        folder = with_architecture(write_tiny_bert(tmp_path), *architectures)
        assert read_inference(folder) is None

    def test_another_head_is_refused(self, tmp_path):
        folder = with_architecture(write_tiny_bert(tmp_path), "BertForTokenClassification")
        with pytest.raises(ModelNotAllowed, match="BertForTokenClassification"):
            read_inference(folder)
