"""Writes the README's table of figures from `measured.json`, between its two markers.

python tests/bench/readme_figures.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.limits import limit_of, missed
from bench.measured import read_measured

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
# name -> (what, how it is measured, the sentence its figures fill)
ROWS = {
    "web_kills": (
        "负载下强杀网页进程 `web` killed under load",
        "`make soak`",
        "SIGKILL {kills} 次，确认过的答案 {acknowledged} 条，丢失 **{lost}** 条，重复 {doubled} 条 / "
        "{kills} kills, {acknowledged} answers acknowledged, **{lost}** lost, {doubled} doubled",
    ),
    "camera_kills": (
        "杀死录像进程 cameras killed while recording",
        "`make soak`",
        "SIGKILL {kills} 次，每次最多丢 **{lost_s_most} 秒**（中位数 {lost_s_median} 秒） / "
        "{kills} kills, at most **{lost_s_most} s** lost at one (median {lost_s_median} s)",
    ),
    "camera_kills_rare": (
        "同上，关键帧较少 the same, key frames farther apart",
        "`make soak`",
        "关键帧间隔 {gop_s} 秒：SIGKILL {kills} 次，每次最多丢 **{lost_s_most} 秒**（中位数 {lost_s_median} 秒） / "
        "a key frame each {gop_s} s: {kills} kills, at most **{lost_s_most} s** lost at one (median {lost_s_median} s)",
    ),
    "saves": (
        "落盘保存 durable saves",
        "`.venv/bin/python tests/bench/saves.py`",
        "{clients} 个客户端：每秒 {saves_per_s} 次，是同一服务不写盘请求的 {saves_to_noop}、"
        "裸 Flask 的 {saves_to_bare}，"
        "每次保存 {fsyncs_per_save} 次刷盘，p99 是 p50 的 {p99_to_p50} 倍 / {clients} clients: {saves_per_s} a second, "
        "{saves_to_noop} of the same server's route that writes nothing, {saves_to_bare} of a bare Flask route, "
        "{fsyncs_per_save} flushes a save, p99 {p99_to_p50} times p50",
    ),
    "saves-pace": (
        "考试的节奏 the pace of an exam",
        "`.venv/bin/python tests/bench/saves.py`",
        "{clients} 个客户端每 {pace_s} 秒保存一次：中位数 {pace_p50_ms} 毫秒，p99 {pace_p99_ms} 毫秒，"
        "最慢 {pace_worst_ms} 毫秒 / {clients} clients, a save each {pace_s} s: median {pace_p50_ms} ms, "
        "p99 {pace_p99_ms} ms, slowest {pace_worst_ms} ms",
    ),
    "footage-load": (
        "考试中下载录像 footage downloaded during an exam",
        "`.venv/bin/python tests/bench/footage_load.py`",
        "{streams} 路同时下载，限速 {cap_mbit} Mbit/s，实发 {sent_mbit}：保存的 p99 从 {p99_alone_ms} 毫秒"
        "到 {p99_ms} 毫秒，录像最多落后 {behind_ms} 毫秒（不下载时 {behind_alone_ms}），"
        "丢失 {lost_ms} 毫秒 / {streams} downloads at once, "
        "{sent_mbit} Mbit/s under a cap of {cap_mbit}: p99 of saves from {p99_alone_ms} ms to {p99_ms} ms, recording "
        "behind by {behind_ms} ms at most ({behind_alone_ms} without), {lost_ms} ms lost",
    ),
    "saves-twice": (
        "客户端加倍 twice the clients",
        "`.venv/bin/python tests/bench/saves.py`",
        "{clients} 个的两倍：每秒 {saves_per_s_twice_the_clients} 次，是同时测得的 {twice_to_once} / twice {clients}: "
        "{saves_per_s_twice_the_clients} a second, {twice_to_once} of once beside it",
    ),
    "saves-slow-disk": (
        "慢速存储卡 a slow card",
        "`.venv/bin/python tests/bench/saves.py --fsync-ms 10`",
        "每次刷盘多 {fsync_ms_added} 毫秒，{clients} 个客户端：每秒 {saves_per_s} 次，是不写盘请求的 {saves_to_noop}，"
        "每次保存 {fsyncs_per_save} 次刷盘 / each flush {fsync_ms_added} ms slower, {clients} clients: {saves_per_s} a "
        "second, {saves_to_noop} of the route that writes nothing, {fsyncs_per_save} flushes a save",
    ),
    "saves-mirrored": (
        "双盘保存 with a second medium",
        "`.venv/bin/python tests/bench/saves.py --mirror`",
        "{clients} 个客户端：每秒 {saves_per_s} 次，是不写盘请求的 {saves_to_noop} / {clients} clients: "
        "{saves_per_s} a second, {saves_to_noop} of the route that writes nothing",
    ),
    "wifi": (
        "断断续续的无线网 Wi-Fi that drops",
        "`make soak`",
        "{tablets} 台平板，每 {every_s} 秒断 {down_s} 秒、共 {drops} 次，{replies_lost} 个回复丢在路上："
        "选了 {chosen} 次，存下 {rows} 次，丢失 **{lost}**，重复 {doubled} / "
        "{tablets} tablets, {drops} drops of {down_s} s every {every_s} s, {replies_lost} replies lost on the way: "
        "{chosen} choices, {rows} stored, **{lost}** lost, {doubled} doubled",
    ),
    "hostile": (
        "恶意请求 hostile requests",
        "`make soak`",
        "{sent} 次，{refused} 次被拒，故障 **{faults}**，改动他人数据 "
        "**{rows_of_others_changed}** / {sent} requests, {refused} refused, **{faults}** faults, "
        "**{rows_of_others_changed}** rows of others changed",
    ),
    "vm_kills": (
        "给虚拟机拔电 power cut of a whole machine",
        "`make vmkill`",
        "拔电 {kills} 次，确认过的答案 {acknowledged} 条，丢失 **{lost}** 条，重复 {doubled} 条 / "
        "{kills} cuts, {acknowledged} answers acknowledged, **{lost}** lost, {doubled} doubled",
    ),
    "vm_footage": (
        "录像时给虚拟机拔电 power cut while recording",
        "`make vmkill`",
        "拔电 {cuts} 次，每次最多丢 **{lost_s_most} 秒**（中位数 {lost_s_median} 秒），磁盘缓存里的 "
        "{writes_left_out} 次写入一并丢弃，文件丢失 **{files_gone}** / {cuts} cuts, at most "
        "**{lost_s_most} s** lost at one (median {lost_s_median} s), {writes_left_out} writes "
        "in the disk's own cache gone with it, **{files_gone}** "
        "files gone",
    ),
    "papers": (
        "抽卷 drawing a paper",
        "`.venv/bin/python tests/bench/papers.py`",
        "题库 {items_large} 题时一份卷 {large_ms} 毫秒，是 {items_small} 题时的 {ratio} 倍 / "
        "{large_ms} ms a paper from {items_large} items, {ratio} times that from {items_small}",
    ),
    "listing": (
        "列出一天的录像 listing a day of footage",
        "`.venv/bin/python tests/bench/listing.py`",
        "{cameras} 路摄像头、存有 {days} 天时 {large_ms} 毫秒，是只存一天时的 {ratio} 倍 / "
        "{cameras} cameras, {large_ms} ms with {days} days stored, {ratio} times that with one",
    ),
    "export": (
        "导出证据 exporting evidence",
        "`.venv/bin/python tests/bench/export.py`",
        "{minutes} 分钟 1080p 录像（{footage_mb} MB）：{export_s} 秒，含校验、裁剪视图和刷盘，"
        "是 `cp` 加 `sha256sum` 的 {ratio} 倍 / {minutes} minutes of 1080p ({footage_mb} MB): {export_s} s with "
        "checks, views and flushes, {ratio} times `cp` plus `sha256sum`",
    ),
    "recording": (
        "录一路不转码的 1080p25 recording one 1080p25 stream as it comes",
        "`.venv/bin/python tests/bench/recording.py`",
        "{seconds} 秒：占一个核的 {cpu_percent}%，是同时运行的 `ffmpeg -c copy` 的 **{to_ffmpeg}**；四路是一路的 "
        "{four_to_one} 倍；预览和人脸画面另占 {previews_cpu_percent}% / {seconds} s: {cpu_percent} % of a core, "
        "**{to_ffmpeg}** of `ffmpeg -c copy` beside it; four cameras {four_to_one} times one; pictures for previews "
        "and faces {previews_cpu_percent} % besides",
    ),
    "page": (
        "翻题 changing the question",
        "`.venv/bin/python tests/bench/page.py`",
        "首次打开 {first_load_kb} kB；处理器放慢 {cpu_slowdown} 倍，一百题的卷子边答边翻："
        "中位数 {answering_median_ms} 毫秒，95% 在 {answering_p95_ms} 毫秒内；换到另一台平板 {moved_s} 秒 / "
        "{first_load_kb} kB when first opened; "
        "CPU slowed {cpu_slowdown} times, answering a hundred questions: median {answering_median_ms} ms, "
        "95 % within {answering_p95_ms} ms; moved to another tablet in {moved_s} s",
    ),
    "face": (
        "人脸 faces",
        "`.venv/bin/python tests/bench/face.py`",
        "一帧到判定 {decision_ms} 毫秒，是三个网络之和的 {decision_to_networks}；"
        "特征提取比 dlib 自己快 {embed_times_dlib} 倍 / frame to decision {decision_ms} ms, {decision_to_networks} of "
        "its three networks; embedding {embed_times_dlib} times dlib's own speed",
    ),
    "face-yunet": (
        "人脸模型 yunet the pack yunet",
        "`.venv/bin/python tests/bench/face.py --pack yunet`",
        "一帧到判定 {decision_ms} 毫秒，是两个网络之和的 {decision_to_networks} / frame to decision {decision_ms} ms, "
        "{decision_to_networks} of its two networks",
    ),
    "galleries": (
        "在多人中查找（合成模板） finding one among many (synthetic templates)",
        "`.venv/bin/python tests/bench/galleries.py`",
        "30、200、2000 人：误认陌生人 {fpir_30}、{fpir_200}、{fpir_2000}，"
        "没认出本人 {fnir_30}、{fnir_200}、{fnir_2000} / 30, 200, 2,000 people: a stranger found {fpir_30}, "
        "{fpir_200}, {fpir_2000}; a member not found {fnir_30}, {fnir_200}, {fnir_2000}",
    ),
    "galleries-yunet": (
        "同上，人脸模型 yunet the same, pack yunet",
        "`.venv/bin/python tests/bench/galleries.py --pack yunet`",
        "误认陌生人 {fpir_30}、{fpir_200}、{fpir_2000}，没认出本人 {fnir_30}、{fnir_200}、{fnir_2000} / "
        "a stranger found {fpir_30}, {fpir_200}, {fpir_2000}; a member not found {fnir_30}, {fnir_200}, {fnir_2000}",
    ),
    "idle": (
        "空闲的考场 an idle room",
        "`.venv/bin/python tests/bench/idle.py`",
        "{seconds} 秒：签到服务占一个核的 {checkin_cpu_percent}%，签到屏页面 {page_cpu_percent}%；"
        "内存（MB）签到 {checkin_mb}、网页 {web_mb}、摄像头 {camera_mb}、上传 {uplink_mb} / {seconds} s: check-in "
        "{checkin_cpu_percent} % of a core, the kiosk's page {page_cpu_percent} %; memory (MB) check-in {checkin_mb}, "
        "web {web_mb}, camera {camera_mb}, uplink {uplink_mb}",
    ),
    "busy": (
        "有人站在签到屏前 somebody before the kiosk",
        "`.venv/bin/python tests/bench/busy.py`",
        "看了 {visits} 次，每秒 {frames_per_s} 帧，{networks} 个网络：签到服务占一个核的 {checkin_cpu_percent}%，"
        "内存 {checkin_mb} MB / looked at {visits} times, {frames_per_s} frames a second, {networks} networks: "
        "check-in {checkin_cpu_percent} % of a core, {checkin_mb} MB",
    ),
    "busy-yunet": (
        "同上，人脸模型 yunet the same, pack yunet",
        "`.venv/bin/python tests/bench/busy.py --pack yunet`",
        "看了 {visits} 次，每秒 {frames_per_s} 帧，{networks} 个网络：占一个核的 {checkin_cpu_percent}%，"
        "内存 {checkin_mb} MB / looked at {visits} times, {frames_per_s} frames a second, {networks} networks: "
        "{checkin_cpu_percent} % of a core, {checkin_mb} MB",
    ),
}


class _Figures(dict[str, Any]):
    """A figure that an older run has not found is shown as a dash."""

    def __missing__(self, _figure: str) -> str:
        return "—"


def figures_table(measured: dict[str, dict[str, Any]]) -> str:
    """The table as the README has it, markers not included: a figure that misses its limit is said to in its row."""
    lines = ["| 什么 what | 结果 result | 怎么测 how | 何时何处 when and where |", "|---|---|---|---|"]
    for name, (what, how, sentence) in ROWS.items():
        if name in measured:
            entry = measured[name]
            machine = entry["machine"]
            where = f"{entry['date']}, {machine['cores']} cores {machine['arch']}, Python {machine['python']}"
            result = sentence.format_map(_Figures(entry)) + "".join(said(name, entry))
            lines.append(f"| {what} | {result} | {how} | {where} |")
    return "\n".join(lines)


def said(name: str, entry: dict[str, Any]) -> Iterator[str]:
    """In both languages, for each figure of `name` that misses its limit."""
    for figure in missed(name, entry):
        value, limit = entry.get(figure), limit_of(name, figure)
        if value is None:
            yield f"；**没有测** `{figure}`（应 {limit}） / **not measured**: `{figure}` (must be {limit})"
        else:
            yield f"；**未达标** `{figure}` {value}（应 {limit}） / **misses**: `{figure}` {value} (must be {limit})"


def with_figures(readme: str, measured: dict[str, dict[str, Any]]) -> str:
    """`readme` with its table made anew. ValueError when the markers are not there."""
    before, _, rest = readme.partition(BEGIN)
    _, marker, after = rest.partition(END)
    if not marker:
        raise ValueError(f"README.md has no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{figures_table(measured)}\n{END}{after}"


@click.command()
def main() -> None:
    """Write the README's figures from measured.json."""
    README.write_text(with_figures(README.read_text(), read_measured()))


if __name__ == "__main__":
    main()
