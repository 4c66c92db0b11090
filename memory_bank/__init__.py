"""A memory bank: vectors in, distances out.

Choose a few representative rows out of many (:func:`select_coreset`, :class:`CoresetBuilder`), keep them
(:class:`MemoryBank`) and ask how far other vectors lie from them. Knows NumPy and FAISS and nothing about
what the vectors mean.
"""

from memory_bank.bank import MemoryBank
from memory_bank.coreset import CoresetBuilder, extend_coreset, select_coreset
from memory_bank.errors import MemoryBankError
from memory_bank.index import make_index, use_threads
from memory_bank.proposal import Answer, Proposal
from memory_bank.types import Coreset, Neighbors

__all__ = [
    "Answer",
    "Coreset",
    "CoresetBuilder",
    "MemoryBank",
    "MemoryBankError",
    "Neighbors",
    "Proposal",
    "extend_coreset",
    "make_index",
    "select_coreset",
    "use_threads",
]
