"""Videos in and out through FFmpeg: pictures, colour, sound, MP4."""
