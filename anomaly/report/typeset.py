"""A document and its pictures to a PDF, by typst (https://typst.app/docs) and the template beside this file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from anomaly.errors import ReportError, RuntimeUnavailableError
from anomaly.files import replace_file
from anomaly.report.document import Document, to_plain

TEMPLATE = "template.typ"


def typeset(document: Document, pictures: Mapping[str, bytes], *, output: Path, moment: datetime) -> int:
    """Write the PDF; it appears whole or not at all.

    Parameters
    ----------
    document : Document
    pictures : mapping of str to bytes
        SVG, PNG or JPEG by the names that the document uses.
    output : Path
    moment : datetime
        Written into the file as the time of its making; the same document at the same moment gives the same bytes.

    Returns
    -------
    int
        Pages.

    Raises
    ------
    RuntimeUnavailableError
        typst is not installed.
    ReportError
        typst refuses the document.
    OutputError
        The file cannot be written.
    """
    try:
        import typst
    except ImportError:
        raise RuntimeUnavailableError(
            "a report needs typst, not installed here: pip install 'goodparts[train]'"
        ) from None
    with tempfile.TemporaryDirectory(prefix="goodparts-report-") as name:
        folder = Path(name)
        source = folder / TEMPLATE
        source.write_bytes(files("anomaly.report").joinpath(TEMPLATE).read_bytes())
        # Names of files need not be text.
        text = json.dumps(to_plain(document), ensure_ascii=False)
        (folder / "report.json").write_bytes(text.encode("utf-8", "replace"))
        for file, content in pictures.items():
            (folder / file).write_bytes(content)
        try:
            fonts = typst.Fonts(include_system_fonts=False)
            pdf = typst.compile(str(source), root=str(folder), font_paths=fonts, timestamp=int(moment.timestamp()))
            pages = typst.query(str(source), "<end>", root=str(folder), field="value", one=True, font_paths=fonts)
        except typst.TypstError as error:
            reason = " ".join(str(error).split())
            raise ReportError(
                f"expected typst to set the report, and it stopped: {reason}; update typst, or report this",
                path=output,
            ) from error
    replace_file(output, pdf)
    return int(json.loads(pages))
