"""Studies from many seeds: run, kept on disk, and put side by side with the originals."""
