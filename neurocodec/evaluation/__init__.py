"""What models are worth: the codec on clips, verdicts beside LPIPS, bits of landmark packets, landmarks."""
