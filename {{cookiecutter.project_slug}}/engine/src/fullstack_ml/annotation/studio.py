"""Label Studio's API, as far as this project needs it.

Reads and writes projects, tasks and annotations of a running server over HTTP. A project of Label Studio is one round.
"""

from collections.abc import Generator, Iterator
from typing import Any

import httpx

from fullstack_ml.annotation.server import email
from fullstack_ml.workspace.errors import UserError

PAGE = 200


class Personal(httpx.Auth):
    """Sign in with a personal access token: it gives tokens that last for minutes, and is no such token itself."""

    requires_response_body = True

    def __init__(self, url: str, token: str) -> None:
        """Hold the token of a person, and the server that gave it."""
        self.url, self.refresh, self.short = url, token, ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Get a short token where there is none or the last one has ended."""
        for attempt in range(2):
            if not self.short or attempt:
                answer = yield httpx.Request("POST", f"{self.url}/api/token/refresh/", json={"refresh": self.refresh})
                self.short = answer.json()["access"] if answer.is_success else ""
            request.headers["Authorization"] = f"Bearer {self.short}"
            if (yield request).status_code != httpx.codes.UNAUTHORIZED:
                return


class Studio:
    """A signed-in client; every method raises ``UserError`` when the server is away or refuses."""

    def __init__(self, url: str, token: str) -> None:
        """Sign in at ``url`` with ``token``: a legacy one, or a personal access token, which has three parts."""
        personal = token.count(".") == 2
        headers = {} if personal else {"Authorization": f"Token {token}"}
        auth, transport = Personal(url, token) if personal else None, httpx.HTTPTransport(retries=3)
        self.url = url
        self.http = httpx.Client(base_url=url, headers=headers, auth=auth, timeout=120, transport=transport)

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Send a request and return the decoded answer."""
        try:
            answer = self.http.request(method, path, **options)
        except httpx.TransportError as error:
            raise UserError(f"Label Studio does not answer: {error}", self.url, "make annotate") from error
        if answer.is_error:
            what = f"Label Studio refuses {method} {path} with {answer.status_code}: {answer.text[:300]}"
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                fix = "put a token of Account & Settings there: a personal access token or a legacy one"
                raise UserError(what, "LABEL_STUDIO_TOKEN", fix)
            raise UserError(what, self.url, "mend what it names; if it runs for another project, change the port")
        return answer.json() if answer.content else None

    def names(self) -> dict[int, str]:
        """Return the name of every user by id."""
        return {user["id"]: user["email"].removesuffix("@localhost") for user in self.call("GET", "/api/users/")}

    def sign_up(self, name: str, password: str) -> None:
        """Make an account through the invitation link: the API for users sets no password."""
        if name in self.names().values():
            return
        link = self.call("GET", "/api/invite")["invite_url"]
        with httpx.Client(base_url=self.url, timeout=60) as visitor:
            visitor.get(link)
            form = {"email": email(name), "password": password, "csrfmiddlewaretoken": visitor.cookies["csrftoken"]}
            answer = visitor.post(link, data=form, headers={"Referer": self.url + link})
        if name not in self.names().values():
            what = f"Label Studio made no account for {name!r} (status {answer.status_code})"
            raise UserError(what, "annotation.annotators in conf/annotation.yaml", "use letters, digits and hyphens")
        self.show_name(name)

    def show_name(self, name: str) -> None:
        """Let the screen say who labelled: it shows the first two letters, which are A2 for ``annotator-2`` then."""
        first, _, last = name.partition("@")[0].rpartition("-")
        number = next(number for number, known in self.names().items() if known == name)
        shown = {"first_name": f"{first[:1]}{last}".upper(), "last_name": name} if first else {"first_name": name}
        self.call("PATCH", f"/api/users/{number}/", json=shown)

    def project(self, title: str, mark: str) -> dict[str, Any] | None:
        """Find the project of a round by its title.

        Raises:
            UserError: if a project has this title, but not this description, so that somebody else made it.
        """
        listed = self.call("GET", "/api/projects/", params={"page_size": 10_000})["results"]
        found = [project for project in listed if project["title"] == title]
        for project in found:
            if project["description"] != mark:
                what = f"project {project['id']} is called {title!r}, and make annotate of this product did not make it"
                fix = "rename it in its settings, or change service.name of product.yaml"
                raise UserError(what, f"{self.url}/projects/{project['id']}", fix)
        return dict(found[0]) if found else None

    def save_project(self, project: dict[str, Any] | None, wanted: dict[str, Any]) -> dict[str, Any]:
        """Make the project, or change what differs from ``wanted``."""
        if project is None:
            return dict(self.call("POST", "/api/projects/", json=wanted))
        changes = {key: value for key, value in wanted.items() if project.get(key) != value}
        return dict(self.call("PATCH", f"/api/projects/{project['id']}/", json=changes)) if changes else project

    def tasks(self, project: int) -> Iterator[dict[str, Any]]:
        """Yield every task of a project with its annotations, page by page."""
        page, seen, total = 1, 0, 1
        while seen < total:
            options = {"project": project, "fields": "all", "page": page, "page_size": PAGE}
            answer = self.call("GET", "/api/tasks", params=options)
            total = answer["total"]
            yield from answer["tasks"]
            if not answer["tasks"]:
                return
            page, seen = page + 1, seen + len(answer["tasks"])

    def load(self, project: int, tasks: list[dict[str, Any]]) -> list[int]:
        """Add tasks and return their ids, in the order given."""
        answer = self.call("POST", f"/api/projects/{project}/import", params={"return_task_ids": "true"}, json=tasks)
        return list(answer["task_ids"])

    def overlap(self, task: int, annotators: int) -> None:
        """Let a task be done when this many annotators have labelled it."""
        self.call("PATCH", f"/api/tasks/{task}/", json={"overlap": annotators})
