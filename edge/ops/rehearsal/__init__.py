"""The rehearsal 演练: simulated candidates against a scratch room on the disk of the real one."""
