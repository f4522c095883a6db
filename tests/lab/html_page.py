"""What a browser makes of a page: its title, what it warns of, and its forms."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from typing_extensions import override


@dataclass
class Form:
    """`fields` are filled in as the page has them; `buttons` are those that say something."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Page:
    title: str = ""
    alert: str = ""
    forms: list[Form] = field(default_factory=list)

    def form_with(self, *, field: str | None = None, button: tuple[str, str] | None = None) -> Form:
        """The form that has the field or the button; raises LookupError if none has."""
        for form in self.forms:
            if field in form.fields or button in form.buttons:
                return form
        raise LookupError(f"no form with {field or button}")


def read(text: str) -> Page:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    page = reader.page
    page.title, page.alert = " ".join(page.title.split()), " ".join(page.alert.split())
    return page


class _Reader(HTMLParser):
    """Only what our pages and nginx' own are made of: no form in a form, no select."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._form: Form | None = None
        self._in_title = False
        self._alert_depth = 0

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        if self._alert_depth and tag not in ("br", "img", "path"):
            self._alert_depth += 1
            self.page.alert += " " * (tag == "p")
        elif of.get("role") == "alert":
            self._alert_depth = 1
        if tag == "title":
            self._in_title = True
        elif tag == "form":
            self._form = Form(of.get("action", ""), of.get("method", "get").lower())
            self.page.forms.append(self._form)
        elif self._form is not None and "name" in of:
            if tag == "button" or of.get("type") == "submit":
                self._form.buttons.append((of["name"], of.get("value", "")))
            elif tag == "input":
                self._form.fields[of["name"]] = of.get("value", "")

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """`<path/>` in a drawing: nothing begins."""

    @override
    def handle_endtag(self, tag: str) -> None:
        if self._alert_depth:
            self._alert_depth -= 1
        if tag == "title":
            self._in_title = False
        elif tag == "form":
            self._form = None

    @override
    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.page.title += data
        if self._alert_depth:
            self.page.alert += data
