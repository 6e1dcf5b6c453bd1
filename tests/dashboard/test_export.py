"""A model that a real job made, taken away as a file."""

import tarfile
from pathlib import Path

from playwright.sync_api import Page

from tests.acceptance.deployment import Deployment


class TestExport:
    def test_an_export_is_kept_as_a_file(
        self, page: Page, finished_job: str, service: Deployment, tmp_path: Path
    ) -> None:
        model = service.http.get(f"/models/{service.tell(finished_job)['model_id']}").json()
        page.goto(f"/#/models/{model['name']}")
        with page.expect_download() as coming:
            button = f"Export version {model['version']} as onnx"
            page.get_by_role("button", name=button, exact=True).click()
        path = tmp_path / "model.tar"
        coming.value.save_as(path)
        with tarfile.open(path) as archive:
            assert any(name.endswith(".onnx") for name in archive.getnames())
