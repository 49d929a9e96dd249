"""What speech needs: ways to code it with Opus, by intelligibility (STOI) and all bytes in the file."""
