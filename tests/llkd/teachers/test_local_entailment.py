"""A pair's log-odds are the network's own, bit for bit the same in any company."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

from llkd.teachers.local_entailment import LocalEntailment, log_odds
from llkd.teachers.zero_shot_model import Inference, read_inference
from tests.llkd.tiny_bert import POSITIONS, make_pool
from tests.llkd.tiny_inference import FAMILIES, write_tiny_inference

CLAIMS = ("word1 invoice", "crash", "word2 word3 login password word4")


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request, tmp_path_factory):
    return write_tiny_inference(tmp_path_factory.mktemp("nli"), family=request.param)


@pytest.fixture(scope="module")
def entailment(folder):
    return load(folder, CLAIMS)


def load(folder, hypotheses):
    return LocalEntailment.from_folder(
        folder, hypotheses=hypotheses, inference=read_inference(folder) or Inference(0, ())
    )


def plainly(folder, text, claim):
    """One pair, read by the network alone: nothing padded, nothing batched."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    read = tokenizer.encode(text, claim)
    network = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    given = {"input_ids": torch.tensor([read.ids])}
    if "distil" not in str(network.config.model_type):
        given["token_type_ids"] = torch.tensor([read.type_ids])
    with torch.inference_mode():
        contradiction, _, entailed = network.eval()(**given).logits[0].double().tolist()
    return entailed - contradiction


class TestScore:
    def test_it_is_the_log_odds_of_entailment_against_contradiction(self, folder, entailment):
        texts = make_pool(6).texts
        expected = [[plainly(folder, text, claim) for claim in CLAIMS] for text in texts]
        assert np.ptp(expected) > 0.5
        assert entailment.score(texts) == pytest.approx(np.array(expected), abs=1e-4)

    def test_a_text_has_the_same_bits_in_any_company(self, entailment, one_thread):
        texts = [*make_pool(40).texts, ""]
        together = entailment.score(texts)
        assert together.shape == (41, len(CLAIMS))
        assert np.array_equal(together, np.vstack([entailment.score([text]) for text in texts]))
        assert np.array_equal(together, entailment.score(texts[::-1])[::-1])

    def test_a_long_text_is_cut_and_its_claim_is_not(self, entailment):
        long = " ".join(["word1"] * POSITIONS * 2)
        scores = entailment.score([long])
        assert np.array_equal(scores, entailment.score([long + " crash"]))
        assert np.ptp(scores) > 1e-3

    def test_a_long_claim_leaves_room_for_the_text(self, folder):
        entailment = load(folder, [" ".join(["word1"] * POSITIONS * 2), "crash"])
        scores = entailment.score(["refund", "login", ""])
        assert np.isfinite(scores).all()
        assert abs(scores[0, 0] - scores[1, 0]) > 1e-3


class TestLogOdds:
    def test_against_several_outputs_it_is_the_odds_of_the_probability(self):
        logits = np.array([[1.0, 2.0, 0.5]])
        powers = np.exp(logits[0])
        odds = np.log(powers[0] / (powers[1] + powers[2]))
        assert log_odds(logits, Inference(0, (1, 2))) == pytest.approx([odds])

    def test_against_nothing_it_is_the_logit(self):
        assert log_odds(np.array([[3.0]]), Inference(0, ())).tolist() == [3.0]
