"""Which texts are the same, against the plain way to say it."""

from hypothesis import given
from hypothesis import strategies as st

from app.datasets.dedupe import NO_LABEL, Deduplicator

ROWS = st.lists(st.tuples(st.sampled_from("abcdefg"), st.integers(NO_LABEL, 3)), max_size=60)


class TestFinish:
    @given(rows=ROWS)
    def test_it_says_what_a_dictionary_of_all_texts_would(
        self, rows: list[tuple[str, int]]
    ) -> None:
        deduplicator = Deduplicator()
        labels: dict[str, list[int]] = {}
        first: dict[str, int] = {}
        copies: dict[str, int] = {}
        for place, (text, gold) in enumerate(rows):
            deduplicator.add(text.encode(), gold=gold)
            first.setdefault(text, place)
            copies[text] = copies.get(text, 0) + 1
            if gold != NO_LABEL:
                labels.setdefault(text, []).append(gold)
        found = deduplicator.finish()
        assert [int(count) for count in found.copies] == [
            copies[text] if first[text] == place else 0 for place, (text, _) in enumerate(rows)
        ]
        assert {text: int(found.gold[place]) for text, place in first.items()} == {
            text: labels.get(text, [NO_LABEL])[0] for text in first
        }
        assert found.conflicts == sum(len(set(given)) > 1 for given in labels.values())
