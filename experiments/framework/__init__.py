"""What all experiments share: options, run folder, interruption, claims, report."""
