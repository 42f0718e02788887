"""Faces: packs (detect, cut, embed), quality, the evidence of one look. Decisions are in `edge.domain.faces`."""
