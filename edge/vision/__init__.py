"""Faces: packs (detect, cut, embed), quality, the evidence of one look. Decisions are in `edge.domain.faces`."""

import os

from edge.domain.pictures import LARGEST_PIXELS

# cv2 reads it as it is loaded, and then refuses by its header a larger picture of any of its formats; our own reading
# of headers knows PNG and JPEG alone
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(LARGEST_PIXELS))
