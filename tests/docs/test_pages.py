"""What a page tells its reader to run is run, and prints what the page shows."""

import csv
from pathlib import Path

import pytest

from tests.docs.pages import Command, Snippet, read_commands, read_snippets, shows
from tests.docs.reader import reading
from tests.fault_server import HOST, Asked, Reaction, completion, faulty, reply, says

DOCS = Path(__file__).parents[2] / "docs"

CONSOLE = """\
$ llkd predict tickets 'one
two'
{"label":"a"}
$ cat \\
    file
"""


class TestReadingAPage:
    def test_commands_go_on_behind_a_backslash_and_in_quotes(self):
        assert list(read_commands(CONSOLE)) == [
            Command("llkd predict tickets 'one\ntwo'", '{"label":"a"}'),
            Command("cat \\\n    file", ""),
        ]

    def test_a_file_is_named_behind_its_language(self, tmp_path):
        page = tmp_path / "page.md"
        page.write_text("# A\n\n```yaml labels.yaml\na: 1\n```\n")
        (snippet,) = read_snippets(page)
        assert (snippet.language, snippet.name, snippet.body) == ("yaml", "labels.yaml", "a: 1\n")
        assert snippet.line == 3

    @pytest.mark.parametrize(
        ("shown", "printed"),
        [
            ("labelled 1,200 texts", "labelled 31 texts"),
            ("job_01M82WNCB47Z3DQK97PJTRENZ1 …", "job_01JZ8Q1V7F2D9S3X6A4E8B0YCW is\nqueued"),
            ("score 0.99", "and score 1"),
        ],
    )
    def test_ids_numbers_and_what_is_left_out_may_differ(self, shown, printed):
        assert shows(shown, printed)

    @pytest.mark.parametrize(("shown", "printed"), [("succeeded", "failed"), ("a … b", "b a")])
    def test_words_may_not(self, shown, printed):
        assert not shows(shown, printed)


@pytest.fixture
def folder(tmp_path):
    """A checkout as far as a page goes: the documentation and its examples."""
    (tmp_path / "docs").symlink_to(DOCS)
    return tmp_path


def answers_by_length(asked: Asked) -> Reaction:
    """A language model without faults, sure that each text has one of the first two labels."""
    code = "AB"[len(asked.text) % 2]
    listed = [{"token": each, "logprob": -0.1 if each == code else -3.5} for each in "ABCD"]
    first = {"token": code, "logprob": -0.1, "top_logprobs": listed}
    return says(reply(completion(code, logprobs={"content": [first]})))


def follow(page, folder, replaced=None):
    with reading(folder, replaced=replaced or {}) as reader:
        for snippet in read_snippets(DOCS / page):
            reader.follow(snippet)


# A page has several commands, and the longest are whole jobs.
@pytest.mark.timeout(1800)
class TestPages:
    @pytest.mark.parametrize(
        "page", ["quickstart.md", "concepts.md", "guides/your-own-labels.md", "guides/reports.md"]
    )
    def test_what_a_page_says_can_be_done(self, page, folder):
        follow(page, folder)

    def test_a_language_model_teaches(self, folder, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-a-test")
        with faulty(answers_by_length) as server:
            here = f"{HOST}:{server.port}"
            replaced = {"127.0.0.1:8001": here, "https://api.openai.com/v1": f"http://{here}/v1"}
            follow("guides/language-models.md", folder, replaced)
            assert {asked.key for asked in server.asked} == {None, "sk-of-a-test"}

    def test_production_runs_on_real_servers(self, folder, bare_postgres_url, redis_url):
        database = bare_postgres_url.render_as_string(hide_password=False)
        replaced = {
            "postgresql+psycopg://llkd@127.0.0.1:5432/llkd": database,
            "redis://127.0.0.1:6379/0": redis_url,
        }
        follow("guides/production.md", folder, replaced)

    def test_the_clients_own_page(self, folder):
        texts = (DOCS / "examples/tickets.txt").read_text().splitlines()
        with (folder / "tickets.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["body"], *([text] for text in texts)])
        with reading(folder, replaced={}) as reader:
            reader.follow(Snippet("console", "", "$ llkd up\n", line=1))
            for snippet in read_snippets(DOCS.parent / "client/README.md"):
                if snippet.language == "python":
                    reader.follow(snippet)

    def test_every_page_with_commands_of_ours_is_among_these(self):
        told = {page.relative_to(DOCS).as_posix() for page in (DOCS / "guides").glob("*.md")}
        assert told == {
            "guides/language-models.md",
            "guides/production.md",
            "guides/reports.md",
            "guides/your-own-labels.md",
        }
