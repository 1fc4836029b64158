"""Generates Python modules and stubs beside every .proto file, or checks that they are fresh."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


_PACKAGE_DOCSTRING = '"""Published interfaces, and the code generated from them."""\n'


def generate(destination: Path) -> None:
    """Run protoc over all protos of the repository and write the result under `destination`.

    Raises `subprocess.CalledProcessError` when a proto does not compile.
    """
    sources = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("protos/**/*.proto"))
    well_known = resources.files("grpc_tools") / "_proto"
    plugins = Path(sys.executable).parent
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            "-I.",
            f"-I{well_known}",
            f"--plugin=protoc-gen-mypy={plugins / 'protoc-gen-mypy'}",
            f"--plugin=protoc-gen-mypy_grpc={plugins / 'protoc-gen-mypy_grpc'}",
            f"--python_out={destination}",
            f"--grpc_python_out={destination}",
            f"--mypy_out=quiet:{destination}",
            f"--mypy_grpc_out=quiet:{destination}",
            *sources,
        ],
        cwd=ROOT,
        check=True,
    )
    for directory in {destination / Path(source).parent for source in sources}:
        for package in (directory, *directory.parents):
            if package == destination:
                break
            (package / "__init__.py").write_text(_PACKAGE_DOCSTRING)


def stale_files(fresh: Path) -> list[str]:
    """Return the generated files in the repository that differ from those under `fresh`."""
    wanted, present = _generated_files(fresh), _generated_files(ROOT)
    differing = {
        path
        for path in wanted & present
        if (fresh / path).read_bytes() != (ROOT / path).read_bytes()
    }
    return sorted(str(path) for path in (wanted ^ present) | differing)


def _generated_files(folder: Path) -> set[Path]:
    found = (*folder.glob("protos/**/*.py"), *folder.glob("protos/**/*.pyi"))
    return {path.relative_to(folder) for path in found}


def main() -> int:
    """Generate in place, or with --check only compare. Returns the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when committed code is stale")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        if not arguments.check:
            shutil.copytree(fresh, ROOT, dirs_exist_ok=True)
            return 0
        stale = stale_files(fresh)
    for path in stale:
        print(f"stale generated file: {path} (run `make protos`)", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
