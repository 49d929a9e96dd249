"""Reference frames: their codecs, chains predicted from each other, and what a decoder remembers."""
