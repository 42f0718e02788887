"""Cameras by name: `file` plays a clip as if live, `v4l2` is a webcam, `rtsp` a network camera, `picamera2` a Pi's."""

from __future__ import annotations

from edge.config import Camera
from edge.hardware.camera.source import CameraSource, Packet, Picture, VideoFormat

__all__ = ["CameraSource", "Packet", "Picture", "VideoFormat", "open_camera"]


def open_camera(name: str, options: Camera, *, pictures: bool = True) -> CameraSource:
    """The camera `name`, open and running; its backend's library is imported only now.

    Without `pictures` it only records. Unavailable (`camera_missing`, `camera_library` and others) when it is not
    there now, BadInput (`camera_format`) when its source is no H.264 video.
    """
    if pictures and options.look:
        from edge.hardware.camera.second import TwoStreams

        return TwoStreams(name, options, open_camera(name, options, pictures=False))
    if options.backend == "file":
        from edge.hardware.camera.clip_file import FileCamera

        return FileCamera(name, options, pictures=pictures)
    if options.backend == "v4l2":
        from edge.hardware.camera.v4l2 import open_device

        return open_device(name, options, pictures=pictures)
    if options.backend == "rtsp":
        from edge.hardware.camera.rtsp import open_network

        return open_network(name, options, pictures=pictures)
    from edge.hardware.camera.picamera import PiCamera

    return PiCamera(name, options, pictures=pictures)
