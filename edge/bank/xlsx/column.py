"""One column of the workbook, and the words that its cells may hold."""

from __future__ import annotations

import re
from dataclasses import dataclass

BANK, NOTES = "题库", "说明"
CHOICE, FILL, ORDER, MATCH, SPOT, CASE = "题目", "填空", "排序", "匹配", "点选", "案例"
MEDIA, WORDS = "媒体", "译文"
PLANS, SCORES = "组卷", "评分表"
SHEETS = (CHOICE, FILL, ORDER, MATCH, SPOT, CASE)
BLANKS, LEFTS, REGIONS = 6, 8, 8

TYPES = {"判断": "judgement", "单选": "single", "多选": "multiple"}
TESTS = {"安全": "safety", "理论": "theory"}
REGIMES = {"技能人员": "skilled-worker", "施工现场专业人员": "site-professional"}
RULES = {"按政策": "policy", "全对得分": "all-or-nothing", "部分得分": "partial"}
YES_NO = {"是": True, "否": False}
KINDS = {"文字": "text", "数值": "number"}
SHAPES = {"圆": "circle", "矩形": "rect", "多边形": "poly"}
LEVELS = ("五级", "四级", "三级", "二级", "一级")
MORE_KINDS = {"填空": "fill", "排序": "order", "匹配": "match", "点选": "hotspot", "案例": "case"}
KINDS_OF_ITEM = TYPES | MORE_KINDS
SCORE_TESTS = {"安全": "safety", "实操": "practical"}
SCORE_ROWS = {"评分表": "rubric", "步骤": "step", "扣分": "deduction", "实测": "measure", "否决": "veto"}
ENDS = {"零分": "zero", "否决": "veto"}
_NUMBERS = frozenset(
    (
        *("difficulty", "points", "exposure", "aspect", "minutes", "max_exposure", "rest_sessions", "part.minutes"),
        *("count", "over.per_minute", "over.most", "over.end_after", "pass", "target", "beyond"),
    )
)
_BLANK_NUMBER = re.compile(r"blanks\.\d+\.(answer|tolerance)")
LANGUAGES = ("en", "bo", "ug", "mn", "kk", "ko", "za", "ii")


@dataclass(frozen=True)
class Column:
    """`field` is where it goes in the item; `choices` its drop-down, which a list of several values may go beyond."""

    title: str
    field: str
    zh: str
    en: str
    choices: tuple[str, ...] = ()
    several: bool = False
    width: int = 12

    @property
    def number(self) -> bool:
        """Whether a number with a decimal point belongs here, as a number."""
        return self.field in _NUMBERS or _BLANK_NUMBER.fullmatch(self.field) is not None
