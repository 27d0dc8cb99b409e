"""``random.shuffle`` in machine code, by the same generator: the same order, some 50 times faster.

The generator is the Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), as ``random.Random``
has it: 624 words of 32 bits, each in an i64 here, and how many of them have been used.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from microgradient.compiler.llvm.buffers import whole_numbers
from microgradient.compiler.llvm.builder import Callee, Function

WORDS = 624  # and one for how many have been used

_NEXT_WORD = """define internal i64 @next_word(ptr %words) nounwind {
entry:
  %place = getelementptr i64, ptr %words, i64 624
  %used = load i64, ptr %place, align 8
  %spent = icmp sge i64 %used, 624
  br i1 %spent, label %renew, label %take
renew:
  %k = phi i64 [ 0, %entry ], [ %k1, %renew ]
  %k1 = add i64 %k, 1
  %is_last = icmp eq i64 %k1, 624
  %following = select i1 %is_last, i64 0, i64 %k1
  %k397 = add i64 %k, 397
  %wraps = icmp sge i64 %k397, 624
  %k227 = sub i64 %k, 227
  %far = select i1 %wraps, i64 %k227, i64 %k397
  %here_at = getelementptr i64, ptr %words, i64 %k
  %following_at = getelementptr i64, ptr %words, i64 %following
  %far_at = getelementptr i64, ptr %words, i64 %far
  %here = load i64, ptr %here_at, align 8
  %after = load i64, ptr %following_at, align 8
  %other = load i64, ptr %far_at, align 8
  %upper = and i64 %here, 2147483648
  %lower = and i64 %after, 2147483647
  %joined = or i64 %upper, %lower
  %half = lshr i64 %joined, 1
  %odd = and i64 %joined, 1
  %twist = mul i64 %odd, 2567483615
  %mixed = xor i64 %other, %half
  %new = xor i64 %mixed, %twist
  store i64 %new, ptr %here_at, align 8
  br i1 %is_last, label %take, label %renew
take:
  %at = phi i64 [ %used, %entry ], [ 0, %renew ]
  %word_at = getelementptr i64, ptr %words, i64 %at
  %word = load i64, ptr %word_at, align 8
  %at1 = add i64 %at, 1
  store i64 %at1, ptr %place, align 8
  %a0 = lshr i64 %word, 11
  %a = xor i64 %word, %a0
  %b0 = shl i64 %a, 7
  %b1 = and i64 %b0, 2636928640
  %b = xor i64 %a, %b1
  %c0 = shl i64 %b, 15
  %c1 = and i64 %c0, 4022730752
  %c = xor i64 %b, %c1
  %d0 = lshr i64 %c, 18
  %d = xor i64 %c, %d0
  ret i64 %d
}"""

# Each draw has as many bits as the size of what is left; too large ones are drawn again.
_SHUFFLE = """define internal void @shuffle(ptr %order, i64 %n, ptr %words) noinline nounwind {
entry:
  %last = sub i64 %n, 1
  %several = icmp sgt i64 %last, 0
  br i1 %several, label %each, label %done
each:
  %i = phi i64 [ %last, %entry ], [ %before, %swap ]
  %size = add i64 %i, 1
  %zeros = call i64 @llvm.ctlz.i64(i64 %size, i1 true)
  %surplus = sub i64 %zeros, 32
  br label %draw
draw:
  %word = call i64 @next_word(ptr %words)
  %j = lshr i64 %word, %surplus
  %too_large = icmp sgt i64 %j, %i
  br i1 %too_large, label %draw, label %swap
swap:
  %i_at = getelementptr i64, ptr %order, i64 %i
  %j_at = getelementptr i64, ptr %order, i64 %j
  %x = load i64, ptr %i_at, align 8
  %y = load i64, ptr %j_at, align 8
  store i64 %y, ptr %i_at, align 8
  store i64 %x, ptr %j_at, align 8
  %before = sub i64 %i, 1
  %more = icmp sgt i64 %before, 0
  br i1 %more, label %each, label %done
done:
  ret void
}"""


def _next_word(_: bool) -> Function:
    return Function("next_word", _NEXT_WORD, Counter())


def _shuffle(_: bool) -> Function:
    leading_zeros = Callee("llvm.ctlz.i64", "i64", ("i64", "i1"))
    next_word = Callee("next_word", "i64", ("ptr",), _next_word)
    return Function("shuffle", _SHUFFLE, Counter({leading_zeros: 1, next_word: 1}))


SHUFFLE = Callee("shuffle", "void", ("ptr", "i64", "ptr"), _shuffle)


def words_of(rng: random.Random) -> Any:
    """Return the state of a generator as an array for ``SHUFFLE``."""
    return whole_numbers(rng.getstate()[1])


def set_words(rng: random.Random, words: Any) -> None:
    """Set a generator to the state that the array has come to."""
    version, _, pending = rng.getstate()
    rng.setstate((version, tuple(words), pending))


def is_known(rng: random.Random) -> bool:
    """Return whether ``SHUFFLE`` can do what ``rng.shuffle`` does: a subclass may do it its way."""
    return type(rng) is random.Random
