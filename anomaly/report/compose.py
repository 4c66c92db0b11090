"""Evidence to a whole document: the sections in their order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from anomaly.report import rules_capture, rules_improve, rules_upkeep
from anomaly.report.advice import advise
from anomaly.report.appendix import appendix
from anomaly.report.document import Document
from anomaly.report.evidence import Evidence
from anomaly.report.facts import measure
from anomaly.report.section_advice import capture_section, improve_section, upkeep_section
from anomaly.report.section_data import preprocessing_section, split_section
from anomaly.report.section_results import results_section
from anomaly.report.section_settings import settings_section
from anomaly.report.section_summary import summarise
from anomaly.report.wording import day


def compose(
    evidence: Evidence, *, moment: datetime, examples: Mapping[str, bytes]
) -> tuple[Document, dict[str, bytes]]:
    """Write the report about one trained model.

    Parameters
    ----------
    evidence : Evidence
    moment : datetime
        Of the report.
    examples : mapping of str to bytes
        Recorded pictures of verdicts by file name.

    Returns
    -------
    Document
    dict of str to bytes
        Every picture that it shows, by file name.

    Raises
    ------
    RuntimeUnavailableError
        A library that the plots need is missing.
    """
    facts = measure(evidence)
    improve = advise(rules_improve.RULES, facts)
    upkeep = advise(rules_upkeep.RULES, facts)
    capture = advise(rules_capture.RULES, facts)
    parts = [
        summarise(evidence, (*improve, *upkeep, *capture)),
        split_section(evidence),
        preprocessing_section(evidence),
        settings_section(evidence),
        results_section(evidence, examples),
        improve_section(improve),
        upkeep_section(upkeep),
        capture_section(evidence, capture),
        appendix(evidence),
    ]
    date = day(moment.isoformat())
    document = Document(
        title="Visual inspection: report on a trained model",
        subtitle=f"{date}  ·  trained model `{evidence.fingerprint}`  ·  made by goodparts from recorded results",
        date=date,
        footer=f"goodparts  ·  trained model {evidence.fingerprint}  ·  {date}",
        sections=tuple(part.section for part in parts),
    )
    return document, {name: content for part in parts for name, content in part.pictures.items()}
