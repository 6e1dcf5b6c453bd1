"""An event stream means the same however its bytes were cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llkd_client.sse import Message, MessageParser


def parsed(text: str | bytes, *, cuts: int | None = None) -> list[Message]:
    content = text.encode() if isinstance(text, str) else text
    parser = MessageParser()
    size = cuts or max(1, len(content))
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    return [message for piece in pieces for message in parser.feed(piece)]


class TestMessageParser:
    def test_a_message_has_its_event_its_data_and_its_id(self):
        assert parsed("event: job.started\nid: 7\ndata: {}\n\n") == [
            Message("job.started", "{}", "7")
        ]

    def test_lines_of_data_are_joined(self):
        assert parsed("data: a\ndata:b\ndata\n\n") == [Message("message", "a\nb\n", "")]

    @pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
    @pytest.mark.parametrize("cuts", [1, 2, 3, 5, None])
    def test_every_line_end_is_one_wherever_it_was_cut(self, end: str, cuts: int | None):
        text = end.join(["id: 1", "data: ä", "", ": still here", "data: b", "", ""])
        assert parsed(text, cuts=cuts) == [
            Message("message", "ä", "1"),
            Message("message", "b", "1"),
        ]

    def test_a_message_is_told_with_its_last_byte_even_if_that_is_half_a_line_end(self):
        assert parsed("data: a\r\r") == [Message("message", "a", "")]

    def test_a_message_that_was_not_finished_is_not_told(self):
        assert parsed("data: a\n") == []

    def test_an_event_without_data_is_none_and_leaves_nothing_behind(self):
        assert parsed("event: x\n\ndata: a\n\n") == [Message("message", "a", "")]

    def test_comments_are_counted_and_a_wished_pause_is_none(self):
        parser = MessageParser()
        assert list(parser.feed(b"retry: 2000\n\n: still here\n\nretry: soon\n")) == []
        assert parser.comments == 1

    def test_the_last_id_stays_until_another_comes(self):
        parser = MessageParser("5")
        messages = list(parser.feed(b"data: a\n\nid: 6\ndata: b\n\nid: 7\x00\ndata: c\n\n"))
        assert [message.id for message in messages] == ["5", "6", "6"]
        assert parser.last_id == "6"

    def test_an_id_counts_once_its_event_is_whole(self):
        parser = MessageParser("5")
        assert list(parser.feed(b"data: a\nid: 6\n")) == []
        assert parser.last_id == "5"
        assert [message.id for message in parser.feed(b"\n")] == ["6"]
        assert parser.last_id == "6"

    def test_a_byte_order_mark_is_no_part_of_the_first_name(self):
        assert parsed(b"\xef\xbb\xbfdata: a\n\n", cuts=1) == [Message("message", "a", "")]

    @given(st.binary(max_size=200), st.integers(1, 7))
    def test_any_bytes_are_read_the_same_in_one_piece_and_in_many(self, content: bytes, cuts: int):
        assert parsed(content) == parsed(content, cuts=cuts)
