"""The third level: loop nests as LLVM IR, compiled for this processor."""
