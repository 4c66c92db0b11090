"""The report for the head of engineering: recorded evidence in, a PDF out ([0020](docs/decisions/0020-report.md)).

``examine`` judges the test split once and records it; ``gather`` brings together what is recorded; ``compose`` writes
the document, advice by rules; ``typeset`` makes the PDF.
"""

from anomaly.report.advice import Advice, advise
from anomaly.report.compose import compose
from anomaly.report.evidence import Evidence, gather
from anomaly.report.examination import examine, find_photographs
from anomaly.report.examples import choose_examples, draw_examples
from anomaly.report.facts import Facts, measure
from anomaly.report.results import TestResults, read_results, results_folder, write_results
from anomaly.report.section_results import left_out
from anomaly.report.typeset import typeset

__all__ = [
    "Advice",
    "Evidence",
    "Facts",
    "TestResults",
    "advise",
    "choose_examples",
    "compose",
    "draw_examples",
    "examine",
    "find_photographs",
    "gather",
    "left_out",
    "measure",
    "read_results",
    "results_folder",
    "typeset",
    "write_results",
]
