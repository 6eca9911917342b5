"""Airflow gives at most a page at a time: whoever wants all asks on."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from devtools.local.api import PAGE, AirflowApi


def instance(number: int) -> dict:
    task, place = divmod(number, 2)
    return {"task_id": f"t{task}", "map_index": place, "state": "success", "end_date": None}


class Airflow(BaseHTTPRequestHandler):
    """Gives a page of what there is, as Airflow does, whatever is asked for."""

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        offset, limit = int(query.get("offset", ["0"])[0]), int(query.get("limit", ["50"])[0])
        size = self.server.size
        if self.server.troubles:
            return self.trouble(self.server.troubles.pop(0))
        if path.endswith("/run"):
            answer = {"state": "success"}
        elif path.endswith("taskInstances"):
            answer = self.page("task_instances", [instance(n) for n in range(size)], offset, limit)
        elif path.endswith("dagRuns"):
            runs = [{"dag_run_id": str(n)} for n in range(size)]
            answer = self.page("dag_runs", runs, offset, limit)
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def trouble(self, status: int) -> None:
        if status:
            self.send_error(status)
        else:
            self.connection.close()

    def page(self, key: str, all_: list, offset: int, limit: int) -> dict:
        part = all_[offset : offset + min(limit, PAGE)]
        return {key: part, "total_entries": len(all_)}

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Airflow)
    server.daemon_threads = True
    server.size, server.troubles = 3, []
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("size", [0, 1, PAGE, PAGE + 1, 7 * PAGE - 1])
def test_every_task_and_every_run_is_seen_however_many_there_are(server, size):
    server.size = size
    api = AirflowApi(f"http://127.0.0.1:{server.server_port}")
    assert api.tasks("run") == [instance(n) for n in range(size)]
    # each instance of a mapped task is told, too
    assert [*api.follow("run")] == [instance(n) for n in range(size)]
    assert api.unfinished_runs() == [str(n) for n in range(size)]


def test_a_run_is_followed_though_airflow_does_not_answer_for_a_while(server):
    api = AirflowApi(f"http://127.0.0.1:{server.server_port}")
    server.troubles = [500, 0, 503, 0]
    assert [*api.follow("run", interval=0.01)] == [instance(n) for n in range(3)]


def test_a_run_that_is_gone_is_not_followed(server):
    api = AirflowApi(f"http://127.0.0.1:{server.server_port}")
    server.troubles = [404]
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        [*api.follow("run", interval=0.01)]


def test_a_dag_that_airflow_can_not_be_asked_for_is_an_error_of_its_answer(server):
    api = AirflowApi(f"http://127.0.0.1:{server.server_port}")
    server.troubles = [500]
    with pytest.raises(httpx.HTTPStatusError, match="500"):
        api.wait_for_dag()


def test_an_airflow_that_is_silent_for_long_is_given_up(server, monkeypatch):
    monkeypatch.setattr("devtools.local.api.SILENCE_SECONDS", 0.2)
    api = AirflowApi(f"http://127.0.0.1:{server.server_port}")
    server.troubles = [0] * 1000
    with pytest.raises(httpx.TransportError):
        [*api.follow("run", interval=0.01)]
    server.troubles = []


def test_what_died_is_noticed_while_a_run_is_followed(server):
    def watch() -> None:
        raise RuntimeError("the scheduler has ended")

    api = AirflowApi(f"http://127.0.0.1:{server.server_port}", watch=watch)
    with pytest.raises(RuntimeError, match="has ended"):
        [*api.follow("run", interval=0.01)]


def test_it_leaves_no_connection_open(server):
    api = AirflowApi(f"http://127.0.0.1:{server.server_port}")
    assert api.state("run") == "success"
    client = api._client
    del api
    assert client.is_closed
