"""The corpus is what the demo says of it."""

import hashlib
import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from demo import corpus
from demo.composer import NEIGHBOURS, Composer
from demo.noise import with_typos
from demo.phrases import Blocks, load_frames, load_intents
from demo.wording import ALTERNATIVES, GAP, Chooser

SEED = 42


@pytest.fixture(scope="module")
def made() -> corpus.Corpus:
    return corpus.generate(seed=SEED)


def digests(files: corpus.CorpusFiles) -> list[str]:
    paths = (files.train, files.test, files.labels)
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def key(text: str) -> str:
    return " ".join(text.casefold().split())


class TestGenerate:
    def test_the_same_seed_writes_the_same_bytes(self, tmp_path: Path) -> None:
        first = corpus.write(corpus.generate(seed=SEED), tmp_path / "first")
        second = corpus.write(corpus.generate(seed=SEED), tmp_path / "second")
        assert digests(first) == digests(second)

    def test_another_seed_writes_other_texts(self, made: corpus.Corpus) -> None:
        other = corpus.generate(seed=SEED + 1)
        shared = {example.text for example in made.train} & {each.text for each in other.train}
        assert len(shared) < 0.2 * len(made.train)

    def test_there_are_four_thousand_texts_and_a_thousand_of_them_are_gold(
        self, made: corpus.Corpus
    ) -> None:
        assert len(made.train) + len(made.test) >= 4000
        assert len(made.test) >= 1000

    def test_no_text_comes_twice_nor_in_both_parts(self, made: corpus.Corpus) -> None:
        texts = [key(example.text) for example in (*made.train, *made.test)]
        assert len(texts) == len(set(texts))

    def test_the_classes_are_unbalanced_eight_to_one_in_both_parts(
        self, made: corpus.Corpus
    ) -> None:
        for part in (made.train, made.test):
            counts = Counter(example.label for example in part)
            assert 6 <= len(counts) <= 8
            assert max(counts.values()) >= 8 * min(counts.values())

    def test_no_gap_or_alternative_is_left_open(self, made: corpus.Corpus) -> None:
        for example in (*made.train, *made.test):
            assert not re.search(r"[\[\]{}|]", example.text), example.text

    def test_every_label_tells_the_teacher_what_it_means(self, made: corpus.Corpus) -> None:
        assert {label.name for label in made.labels} == {each.label for each in made.train}
        for label in made.labels:
            assert label.description
            assert 4 <= len(label.examples) <= 8


class TestWrite:
    def test_the_training_file_holds_no_labels(self, made: corpus.Corpus, tmp_path: Path) -> None:
        files = corpus.write(made, tmp_path)
        lines = files.train.read_text(encoding="utf-8").splitlines()
        assert [json.loads(line) for line in lines] == [{"text": each.text} for each in made.train]

    def test_the_test_file_holds_the_gold(self, made: corpus.Corpus, tmp_path: Path) -> None:
        files = corpus.write(made, tmp_path)
        lines = map(json.loads, files.test.read_text(encoding="utf-8").splitlines())
        assert [(line["text"], line["label"]) for line in lines] == [
            (each.text, each.label) for each in made.test
        ]


class TestBuildingBlocks:
    def test_no_held_out_block_is_also_a_seen_one(self) -> None:
        frames = load_frames()
        roles = [blocks for blocks in vars(frames).values() if isinstance(blocks, Blocks)]
        roles += frames.slots.values()
        for intent in load_intents():
            roles += [intent.asks, intent.wants, intent.contexts]
        for blocks in roles:
            assert blocks.seen
            assert blocks.held_out
            assert not set(blocks.seen) & set(blocks.held_out)

    def test_held_out_requests_are_worded_unlike_seen_ones(self) -> None:
        # Only what stands between gaps and alternatives is compared, and only where it
        # is long enough to be told from ordinary words.
        def fixed_parts(asks: tuple[str, ...]) -> set[str]:
            parts = (re.split(rf"{ALTERNATIVES.pattern}|{GAP.pattern}", ask) for ask in asks)
            return {part.strip() for each in parts for part in each if part and len(part) > 25}

        for intent in load_intents():
            assert not fixed_parts(intent.asks.seen) & fixed_parts(intent.asks.held_out)

    def test_the_teachers_examples_are_no_request_of_the_corpus(self) -> None:
        for intent in load_intents():
            asks = {key(ask).rstrip(".?") for ask in (*intent.asks.seen, *intent.asks.held_out)}
            assert not {key(example).rstrip(".?") for example in intent.examples} & asks

    def test_every_intent_is_mistaken_for_others_that_exist(self) -> None:
        names = {intent.name for intent in load_intents()}
        assert set(NEIGHBOURS) == names
        for name, neighbours in NEIGHBOURS.items():
            assert set(neighbours) <= names - {name}

    def test_most_frequent_intents_come_first(self) -> None:
        shares = [intent.share for intent in load_intents()]
        assert shares == sorted(shares, reverse=True)


class TestComposer:
    def test_training_texts_use_seen_words_alone(self) -> None:
        frames = load_frames()
        composer = Composer(load_intents(), frames, random.Random(1), held_out_share=0.0)
        texts = " ".join(composer.write("returns") for _ in range(400)).casefold()
        for item in frames.slots["item"].held_out:
            assert item.casefold() not in texts

    def test_every_test_text_has_a_block_that_no_training_text_has(self) -> None:
        composer = Composer(load_intents(), load_frames(), random.Random(1), held_out_share=0.1)
        for _ in range(200):
            before = composer.choose.held_out_picks
            composer.write("billing")
            assert composer.choose.held_out_picks > before

    def test_an_unknown_gap_is_an_error_and_not_a_text(self) -> None:
        chooser = Chooser(random.Random(1), held_out_share=0.0)
        with pytest.raises(KeyError, match="nonsense"):
            chooser.fill("my {nonsense}", {})


class TestTypos:
    def test_a_rate_of_zero_changes_nothing(self) -> None:
        text = "Where is my parcel from Hamburg?"
        assert with_typos(text, random.Random(1), rate=0.0) == text

    def test_a_rate_of_one_damages_long_words_and_spares_short_ones(self) -> None:
        words = with_typos("my parcel is late", random.Random(1), rate=1.0).split(" ")
        assert (words[0], words[2]) == ("my", "is")
        assert words[1] != "parcel"
