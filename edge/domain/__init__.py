"""Pure rules: facts in, a decision with its reason out. No I/O, no clock, no framework."""
