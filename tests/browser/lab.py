"""JupyterLab for tests: a server of our own on a free port, and a page that opens, edits and runs a notebook.

Nothing of the user's is read or written: configuration, data, settings and workspaces live in temporary folders. Every
request that would leave the machine is aborted and recorded, because a lesson must work with the network off.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Literal, Self

import nbformat
from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Route, WebSocket

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = Path(os.environ.get("CI_ARTIFACTS", ROOT / "ci-artifacts"))
HARNESS_JS = Path(__file__).with_name("lab.js")

VIEWPORT = {"width": 1280, "height": 900}
Theme = Literal["light", "dark"]
THEMES: dict[Theme, str] = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # Keep every cell in the page: what a test sees must not depend on scrolling.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}

OPTIONS = [
    "--no-browser",
    "--allow-root",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port_retries=0",
    "--ServerApp.terminals_enabled=False",
    "--LabApp.expose_app_in_browser=True",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.news_url=None",
    "--KernelSpecManager.ensure_native_kernel=True",
]

FOLDERS = {
    "HOME": "home",
    "IPYTHONDIR": "ipython",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "MPLCONFIGDIR": "matplotlib",
}


def free_port() -> int:
    """A port on the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class LabServer:
    """One JupyterLab whose files lie in `root` and whose own state lies in `state`; nbgrader's exchange is empty."""

    def __init__(self, root: Path, state: Path) -> None:
        self.root, self.state = root, state
        self.exchange = state / "exchange"
        self.port, self.token = free_port(), secrets.token_hex(16)
        self.url = f"http://127.0.0.1:{self.port}"
        self._write_settings()
        self._log = open(state / "lab.log", "w")  # noqa: SIM115 -- closed by stop()
        self._process = self._start()

    def _write_settings(self) -> None:
        for name, value in SETTINGS.items():
            self._set(name, value)
        self.exchange.mkdir()
        self.exchange.chmod(0o777)
        (self.state / "config").mkdir()
        config = f"c = get_config()\nc.Exchange.root = {str(self.exchange)!r}\n"
        (self.state / "config" / "nbgrader_config.py").write_text(config)

    def _set(self, name: str, value: dict[str, Any]) -> None:
        file = self.state / "settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value))

    def set_theme(self, theme: Theme) -> None:
        """The theme of every page opened from now on."""
        self._set("@jupyterlab/apputils-extension/themes", {"theme": THEMES[theme]})

    def _environment(self) -> dict[str, str]:
        """The caller's environment, with every folder of Jupyter's our own and the repository importable."""
        environment = dict(os.environ)
        for variable, name in FOLDERS.items():
            folder = self.state / name
            folder.mkdir(exist_ok=True)
            environment[variable] = str(folder)
        path = [str(Path(sys.executable).parent), environment.get("PATH", "")]
        modules = [str(ROOT), environment.get("PYTHONPATH", "")]
        environment |= {"JUPYTER_PREFER_ENV_PATH": "1", "OMP_NUM_THREADS": "1"}
        environment["PATH"] = os.pathsep.join(filter(None, path))
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, modules))
        return environment

    def _start(self) -> subprocess.Popen:
        command = [sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.root_dir={self.root}"]
        command += [f"--ServerApp.port={self.port}", f"--IdentityProvider.token={self.token}"]
        streams = {"stdin": subprocess.DEVNULL, "stdout": self._log, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, cwd=self.root, env=self._environment(), start_new_session=True, **streams)

    def log(self) -> str:
        """What the server has printed so far."""
        return (self.state / "lab.log").read_text()

    def request(self, path: str, method: str = "GET") -> bytes:
        """The body of one call of the server's REST API."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.url}/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.read()

    def wait(self, seconds: float = 90) -> Self:
        """Return when the server answers; raise with its log when it has died or takes too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                self.request("api/status")
                return self
            time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start:\n{self.log()[-4000:]}")

    def stop(self) -> None:
        """Ask the server to end its kernels and itself; end it if it does not."""
        with contextlib.suppress(OSError):
            self.request("api/shutdown", "POST")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


class NotebookPage:
    """A notebook open in JupyterLab. Cells are numbered from 0, text cells included.

    To load JupyterLab takes seconds: `another` opens the next notebook on the page of one that was put away.
    """

    def __init__(self, server: LabServer, browser: Browser, theme: Theme = "light") -> None:
        self.server, self.theme = server, theme
        self.loaded = False
        self.offsite: list[str] = []
        self.errors: list[str] = []
        self.console: list[str] = []
        self.context = browser.new_context(viewport=VIEWPORT, color_scheme=theme)
        self.context.add_init_script(path=HARNESS_JS)
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self._watch()

    def _watch(self) -> None:
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("websocket", self._note_socket)
        self.context.route(self._is_offsite, self._refuse)

    def _note_console(self, message: ConsoleMessage) -> None:
        self.console.append(f"{message.type}: {message.text}")

    def _note_socket(self, socket: WebSocket) -> None:
        if self._is_offsite(socket.url.replace("ws://", "http://", 1)):
            self.offsite.append(socket.url)

    def _is_offsite(self, url: str) -> bool:
        return not url.startswith((self.server.url + "/", "data:", "blob:"))

    def _refuse(self, route: Route) -> None:
        self.offsite.append(route.request.url)
        route.abort()

    def open(self, name: str) -> Self:
        """Open the notebook `name` of the server's folder alone on the page, without side bars, kernel started."""
        self.server.set_theme(self.theme)
        address = f"{self.server.url}/doc/tree/{name}?token={self.server.token}&reset"
        self.page.goto(address, wait_until="domcontentloaded")
        self.page.wait_for_function("() => window.jupyterapp", timeout=60_000)
        self._call("open", name)
        self._wait_for_theme()
        self.loaded = True
        return self

    def another(self, name: str, theme: Theme) -> Self:
        """Open the notebook `name` on this page, after `put_away`, as if the page were new."""
        self.page.emulate_media(color_scheme=theme)
        self.page.set_viewport_size(VIEWPORT)
        self.change_theme(theme)
        self._call("open", name)
        return self

    def change_theme(self, theme: Theme) -> None:
        """Switch the open page to a theme, as the Settings menu does."""
        self.theme = theme
        self._call("theme", THEMES[theme])
        self._wait_for_theme()

    def put_away(self) -> None:
        """Close the notebook and end its kernel; the page stays."""
        self._call("close")
        for seen in (self.offsite, self.errors, self.console):
            seen.clear()

    def _wait_for_theme(self) -> None:
        light = str(self.theme == "light").lower()
        self.page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached")

    def _call(self, function: str, *arguments: Any) -> Any:
        return self.page.evaluate(f"arguments => window.harness.{function}(...arguments)", list(arguments))

    def py(self, expression: str) -> Any:
        """The value of a Python expression in the notebook's kernel; arrays and tensors come as lists.

        Raises:
            RuntimeError: the expression raised; the message is the kernel's.
        """
        text = f"__import__('json').dumps({expression}, default=lambda value: value.tolist())"
        try:
            return json.loads(ast.literal_eval(self._call("evaluate", text)))
        except Error as error:
            raise RuntimeError(error.message) from None

    def run_all(self, allow_errors: bool = False) -> Self:
        """Run every cell and wait until the kernel rests; a cell that raised fails the test unless allowed."""
        self._call("runAll")
        raised = [f"cell {index}: {error}" for index in range(len(self.cells())) for error in self._raised(index)]
        assert allow_errors or not raised, raised
        return self

    def _raised(self, index: int) -> list[str]:
        errors = [output for output in self.outputs(index) if output["output_type"] == "error"]
        return [f"{error['ename']}: {error['evalue']}" for error in errors]

    def run_cell(self, index: int) -> list[dict]:
        """Run one cell, wait until the kernel rests, return the cell's outputs."""
        self._call("runCell", index)
        return self.outputs(index)

    def wait_idle(self) -> Self:
        """Wait until the kernel has answered everything so far and the page has been painted."""
        self._call("idle")
        return self

    def set_cell(self, index: int, source: str) -> Self:
        """Replace a cell's text, as if typed."""
        self._call("setCell", index, source)
        return self

    def cells(self) -> list[dict]:
        """The notebook's cells as in its file, with what was edited and run since it was opened."""
        return self._call("cells")

    def outputs(self, index: int) -> list[dict]:
        """One cell's outputs as in the notebook file; a text cell has none."""
        return self.cells()[index].get("outputs", [])

    def cell(self, index: int) -> Locator:
        """One cell on the page."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def save(self) -> Self:
        """Save the notebook to its file."""
        self._call("save")
        return self

    def screenshot(self, name: str, locator: Locator | None = None) -> Path:
        """Keep a picture of the page, or of one part of it, as ci-artifacts/<name>.png."""
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        file = ARTIFACTS / f"{name}.png"
        (locator or self.page).screenshot(path=file)
        return file

    def assert_clean(self) -> None:
        """Raise AssertionError if anything left the machine, or a script on the page failed."""
        assert not self.offsite, f"requests left the machine: {self.offsite}"
        assert not self.errors, f"errors on the page: {self.errors}"

    def close(self) -> None:
        """End the kernel and the page."""
        with contextlib.suppress(Error):
            self.page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
        self.context.close()


def place_notebook(source: Path | str | list[str], file: Path) -> None:
    """Put a notebook at `file`: a copy of an existing one, or a new one from the text of its code cells."""
    if not isinstance(source, list):
        shutil.copyfile(source, file)
        return
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in source])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, file)
