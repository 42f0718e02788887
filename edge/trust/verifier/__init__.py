"""The offline verifier: a file, the root's public key, and nothing else. The formats stand in FORMAT.md."""

from edge.trust.verifier.files import verify_file, verify_open
from edge.trust.verifier.layout import Region, layout
from edge.trust.verifier.resultfile import result_file
from edge.trust.verifier.roots import read_root
from edge.trust.verifier.verdict import Problem, Verdict

__all__ = ["Problem", "Region", "Verdict", "layout", "read_root", "result_file", "verify_file", "verify_open"]
