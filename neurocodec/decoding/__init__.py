"""Container to pictures: blocks, concealment, losses, and the MP4 that comes out."""
