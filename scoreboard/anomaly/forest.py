"""An isolation forest as bit tables: exact, vectorized, numpy only.

Walking a tree costs Python and numpy one step per level. Instead, every leaf of every tree gets one
bit, in words of 64. Every pair of a feature and a value's rank among that feature's thresholds gets
a row of words in which a bit is set for each leaf that the value does not rule out. The AND of one
row per feature leaves exactly one bit per tree: the leaf in which the walk would end. The table of
a feature takes ``(thresholds + 1) * words * 8`` bytes: 2 MB for 64 trees of 64 samples.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]
Bits = dict[int, int]
"""Leaves as {word: mask}."""
Split = tuple[int, Bits, Bits]
"""A node with the leaves on its left and on its right."""
ALL_LEAVES = np.uint64(2**64 - 1)
LEAF = -1


class Trees(msgspec.Struct, array_like=True, frozen=True):
    """The trees' nodes as stored: raw little-endian arrays, the trees one after the other.

    ``feature`` (int16, -1 for a leaf), ``threshold`` (float64), ``left`` and ``right`` (int32,
    counted from the tree's first node), ``path`` (float64, a leaf's path length), ``starts``
    (int32, each tree's first node). ``normal`` is the summed path length that scores 0.5.
    """

    features: int
    normal: float
    feature: bytes
    threshold: bytes
    left: bytes
    right: bytes
    path: bytes
    starts: bytes


def take_trees(forest: IsolationForest) -> Trees:
    """The nodes of a fitted scikit-learn forest."""
    parts: dict[str, list[Any]] = {k: [] for k in ("feature", "threshold", "left", "right", "path")}
    starts, count = [], 0
    for estimator, columns in zip(forest.estimators_, forest.estimators_features_, strict=True):
        tree = estimator.tree_
        leaf = tree.children_left == LEAF
        parts["feature"].append(np.where(leaf, LEAF, columns[np.where(leaf, 0, tree.feature)]))
        parts["threshold"].append(tree.threshold)
        parts["left"].append(tree.children_left)
        parts["right"].append(tree.children_right)
        depth = np.zeros(tree.node_count)
        for node in np.flatnonzero(~leaf):  # parents come before their children
            depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1
        parts["path"].append(depth + mean_path(tree.n_node_samples))
        starts.append(count)
        count += tree.node_count
    normal = len(forest.estimators_) * float(mean_path(np.array([forest.max_samples_]))[0])
    kinds = {"feature": "<i2", "threshold": "<f8", "left": "<i4", "right": "<i4", "path": "<f8"}
    raw = {k: np.concatenate(v).astype(kinds[k]).tobytes() for k, v in parts.items()}
    return Trees(
        features=int(forest.n_features_in_),
        normal=normal,
        starts=np.array(starts, "<i4").tobytes(),
        **raw,
    )


def mean_path(samples: npt.NDArray[Any]) -> Floats:
    """Mean path length of an unsuccessful search among that many samples (Liu et al., eq. 1)."""
    n = np.maximum(samples.astype(np.float64), 2.0)
    long = 2.0 * (np.log(np.maximum(n - 1.0, 1.0)) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return np.where(samples <= 1, 0.0, np.where(samples == 2, 1.0, long))


class Forest:
    """Scores rows of ``trees.features`` columns; thread-safe, immutable."""

    def __init__(self, trees: Trees) -> None:
        self.trees = trees
        feature = np.frombuffer(trees.feature, "<i2")
        threshold = np.frombuffer(trees.threshold, "<f8")
        path = np.frombuffer(trees.path, "<f8")
        splits, leaves, words = _lay_out_leaves(trees)
        self._normal = trees.normal
        # Word w with bit k set adds paths[w * 65 + k + 1]; an empty word adds paths[w * 65] = 0.
        self._paths = np.zeros(words * 65)
        self._paths[[word * 65 + bit + 1 for _, word, bit in leaves]] = path[
            [node for node, _, _ in leaves]
        ]
        self._offsets = np.arange(words) * 65
        self._leaves = np.zeros(words, np.uint64)
        for _, word, bit in leaves:
            self._leaves[word] |= np.uint64(1 << bit)
        self._columns: list[tuple[int, Floats, Words]] = []
        for column in range(trees.features):
            own = [split for split in splits if feature[split[0]] == column]
            if own:
                cuts = np.unique(threshold[[node for node, _, _ in own]])
                table = _table(cuts, threshold, own, words)
                self._columns.append((column, cuts, table))

    def score(self, rows: Floats) -> Floats:
        """Anomaly of each row of ``rows`` (n, features): 0 to 1, higher is stranger.

        The negative of scikit-learn's ``score_samples``, and as there values are rounded to
        float32 first.
        """
        rounded = rows.astype(np.float32).astype(np.float64)
        left = np.repeat(self._leaves[None], len(rows), axis=0)
        for column, cuts, table in self._columns:
            left &= table[cuts.searchsorted(rounded[:, column])]
        # One bit is left: frexp gives its place + 1, and 0 for an empty word.
        place = np.frexp(left.astype(np.float64))[1]
        depths = self._paths[place + self._offsets].sum(axis=1)
        scores: Floats = np.exp2(-depths / self._normal if self._normal else -np.ones(len(rows)))
        return scores


def _lay_out_leaves(
    trees: Trees,
) -> tuple[list[Split], list[tuple[int, int, int]], int]:
    """Gives every leaf its bit; each tree starts in a new word.

    Returns the splits, the leaves as (node, word, bit), and the number of words.
    """
    left, right = np.frombuffer(trees.left, "<i4"), np.frombuffer(trees.right, "<i4")
    starts = [*np.frombuffer(trees.starts, "<i4").tolist(), len(left)]
    splits: list[Split] = []
    leaves: list[tuple[int, int, int]] = []
    words = 0
    for start, end in pairwise(starts):
        below: dict[int, Bits] = {}
        number = 0
        for node in range(end - 1, start - 1, -1):  # children come after their parents
            if left[node] == LEAF:
                word, bit = words + number // 64, number % 64
                number += 1
                leaves.append((node, word, bit))
                below[node] = {word: 1 << bit}
            else:
                on_left = below.pop(start + int(left[node]))
                on_right = below.pop(start + int(right[node]))
                splits.append((node, on_left, on_right))
                both = on_left.keys() | on_right.keys()
                below[node] = {w: on_left.get(w, 0) | on_right.get(w, 0) for w in both}
        words += (number + 63) // 64
    return splits, leaves, words


def _table(
    cuts: Floats, threshold: npt.NDArray[np.float64], splits: list[Split], words: int
) -> Words:
    """Returns the leaves still possible for each rank; a value of rank r is above the first r cuts.

    At a split whose cut is below the value the walk goes right, which rules out the leaves on the
    left; at every other split it goes left, which rules out those on the right. So each row is the
    AND of two running ANDs, one over the cuts from below and one from above.
    """
    above = np.full((len(cuts) + 1, words), ALL_LEAVES)
    below = np.full((len(cuts) + 1, words), ALL_LEAVES)
    ranks = cuts.searchsorted(threshold[[node for node, _, _ in splits]]).tolist()
    for rank, (_, on_left, on_right) in zip(ranks, splits, strict=True):
        for word, mask in on_left.items():
            above[rank + 1, word] &= ~np.uint64(mask)
        for word, mask in on_right.items():
            below[rank, word] &= ~np.uint64(mask)
    np.bitwise_and.accumulate(above, axis=0, out=above)
    below = np.bitwise_and.accumulate(below[::-1], axis=0)[::-1]
    return above & below
