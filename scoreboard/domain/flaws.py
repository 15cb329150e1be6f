"""What is wrong with one field of a thing that several fields make up together."""

from __future__ import annotations


class FieldFlaw(ValueError):
    """A sentence without its full stop, and the name of the field at fault as its JSON has it;
    empty: the thing as a whole. Raised where a struct checks itself, msgspec adds where the struct
    stands, and keeps this as the cause."""

    def __init__(self, sentence: str, *, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field
