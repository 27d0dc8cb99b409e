"""Every piece of the gallery at a small size, its page, and the command."""

import re
from io import BytesIO
from pathlib import Path

import pytest

from microgradient import gallery
from microgradient.cli import gallery as command
from microgradient.cli import main
from microgradient.gallery import catalogue, page
from microgradient.gallery.catalogue import PIECES, SECTIONS, Exhibit, exhibit
from microgradient.gallery.piece import Finding, Picture, Race, line_of, show

pytestmark = pytest.mark.once

FOLDER = Path(gallery.__file__).parent
DOCS = Path(__file__).parents[1] / "docs" / "gallery" / "gallery.md"
SOURCES = {
    name: FOLDER.joinpath(*module.split(".")[2:]).with_suffix(".py")
    for name, module in PIECES.items()
}
FOUND = Exhibit(
    "found",
    "A piece that found something",
    "Text.",
    [(Finding("a | b", "somebody", "1", True), 0.5), (Finding("c", "all", "2", False), 1.0)],
    [Race("xor", "guess", 0, 10, None, 0.25), Race("xor", "other", 9, 10, 1200.0, 0.5)],
    [],
    1.5,
)


@pytest.mark.parametrize("name", PIECES)
def test_a_piece_runs_at_a_small_size(name):
    shown = exhibit(name, small=True)
    assert shown.title
    assert len(shown.text) > 100
    assert shown.findings
    for finding, seconds in shown.findings:
        assert seconds >= 0
        for text in (finding.claim, finding.source, finding.came):
            assert text == text.strip() != ""
            assert "\n" not in text
    for race in shown.races:
        assert 0 <= race.solved <= race.trials
        assert (race.presentations is None) == (race.solved == 0)
    assert shown.pictures
    for picture in shown.pictures:
        content = BytesIO()
        picture.figure.savefig(content, dpi=40)
        assert len(content.getvalue()) > 1000


@pytest.mark.parametrize("name", PIECES)
def test_a_piece_is_one_short_file_that_runs_alone(name):
    text = SOURCES[name].read_text()
    assert text.endswith('\n\n\nif __name__ == "__main__":\n    show(run)\n')
    assert text.count("\n") <= 260  # method, claims and drawing


def test_every_file_is_in_the_catalogue():
    files = {path for path in FOLDER.rglob("*.py") if "show(run)" in path.read_text()}
    assert files == {*SOURCES.values()}
    assert sum(map(len, SECTIONS.values())) == len(PIECES)


def test_names_of_pictures_differ():
    pictures = re.findall(r"\]\((pictures/.*?)\)", DOCS.read_text())
    assert len(pictures) == len({*pictures}) >= len(PIECES)
    assert all((DOCS.parent / picture).exists() for picture in pictures)


def test_the_page_in_the_docs_is_whole():
    text = DOCS.read_text()
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    found = {row[0].removeprefix("| "): row for row in rows if len(row) == len(page.FINDINGS)}
    assert PIECES.keys() <= found.keys()
    verdicts = [row[3] for row in rows if row[0].removeprefix("| ") in PIECES]
    assert all(verdict.startswith(("holds: ", "came instead: ")) for verdict in verdicts)
    for name, module in PIECES.items():
        assert f"python -m {module}" in text, name
    assert "nan" not in re.findall(r"\w+", text)


def test_a_page():
    text = page.text_of([FOUND])
    assert "1 of 2 claims hold" in text
    assert "| found | a \\| b | somebody | holds: 1 | 0.5 |" in text
    assert "| found | c | all | came instead: 2 | 1.0 |" in text
    assert "| xor | guess | 0 of 10 | - | 0.25 |" in text
    assert "| xor | other | 9 of 10 | 1,200 | 0.5 |" in text


def test_the_command(tmp_path, capsys):
    assert main(["gallery", "perceptron", "perceptron", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("perceptron: 2 of 2 claims hold, ") == 1
    assert "869 of 1,000" in printed
    text = (tmp_path / "gallery.md").read_text()
    assert "`microgradient gallery perceptron`" in text
    assert (tmp_path / "pictures" / "perceptron.png").exists()
    assert "data:image/png;base64," in (tmp_path / "gallery.html").read_text()


def test_an_interrupted_gallery_keeps_what_has_ended(tmp_path, capsys, monkeypatch):
    def interrupted(name):
        if name == "hopfield":
            raise KeyboardInterrupt
        return FOUND

    monkeypatch.setattr(command, "exhibit", interrupted)
    arguments = ["gallery", "id3", "hopfield", "genetic", "--out", str(tmp_path)]
    assert main(arguments) == 130
    assert "Interrupted: the page has the pieces that had ended" in capsys.readouterr().out
    assert "came instead: 2" in (tmp_path / "gallery.md").read_text()


def test_an_unknown_piece_is_one_sentence(tmp_path, capsys):
    assert main(["gallery", "id3", "id4", "--out", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert message.startswith("microgradient: the gallery has no piece 'id4'; it has perceptron, ")
    assert not [*tmp_path.iterdir()]


def test_a_missing_package_is_one_sentence(capsys, monkeypatch):
    monkeypatch.setitem(catalogue.PIECES, "absent", "sklearn_that_is_not_there")
    assert main(["gallery", "absent"]) == 2
    assert "pip install 'microgradient[gallery]'" in capsys.readouterr().err


def test_a_piece_alone_prints_as_it_goes(tmp_path, capsys, monkeypatch):
    from matplotlib.figure import Figure

    monkeypatch.chdir(tmp_path)

    def run():
        yield FOUND.findings[1][0]
        yield FOUND.races[1]
        yield Picture("empty", Figure(), "nothing")

    show(run)
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        "c (all): came instead: 2",
        "xor, other: 9 of 10 solved, 1,200 presentations, 0.5 s each",
        "empty.png: nothing",
    ]
    assert (tmp_path / "empty.png").exists()
    assert line_of(FOUND.races[0]).endswith("0 of 10 solved, - presentations, 0.25 s each")
