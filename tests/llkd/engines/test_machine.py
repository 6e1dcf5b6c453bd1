"""What is read of a machine, and when two are equal."""

from pathlib import Path

from llkd.engines.machine import read_machine

CPUINFO = """processor\t: 0
cpu family\t: 26
model\t\t: 2
model name\t: AMD EPYC
flags\t\t: fpu avx2 avx512f avx512_bf16 sse

processor\t: 1
flags\t\t: amx_bf16
"""


class TestReadMachine:
    def test_it_names_the_processor_and_the_instructions_that_matter(self, tmp_path: Path) -> None:
        (tmp_path / "cpuinfo").write_text(CPUINFO)
        machine = read_machine(tmp_path / "cpuinfo", tmp_path / "gpus")
        assert machine.processor == "AMD EPYC (family 26, model 2)"
        assert machine.flags == ("avx2", "avx512_bf16", "avx512f")
        assert machine.has_bf16
        assert machine.gpus == ()
        assert "onnxruntime" in machine.packages

    def test_gpus_are_named(self, tmp_path: Path) -> None:
        (tmp_path / "gpus" / "0000:01").mkdir(parents=True)
        (tmp_path / "gpus" / "0000:01" / "information").write_text("Model: \t NVIDIA H100\nIRQ: 1")
        assert read_machine(tmp_path / "none", tmp_path / "gpus").gpus == ("NVIDIA H100",)

    def test_where_the_kernel_says_nothing_little_is_known(self, tmp_path: Path) -> None:
        machine = read_machine(tmp_path / "none", tmp_path / "none")
        assert machine.processor
        assert not machine.has_bf16

    def test_another_version_is_another_machine(self, tmp_path: Path) -> None:
        (tmp_path / "cpuinfo").write_text(CPUINFO)
        one, same = (read_machine(tmp_path / "cpuinfo", tmp_path) for _ in range(2))
        (tmp_path / "cpuinfo").write_text(CPUINFO.replace("avx512_bf16", ""))
        assert one.to_json() == same.to_json()
        assert one.to_json() != read_machine(tmp_path / "cpuinfo", tmp_path).to_json()
