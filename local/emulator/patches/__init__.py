"""Patches: the places where ministack 1.5.33 is changed from outside, one module for each idea."""
