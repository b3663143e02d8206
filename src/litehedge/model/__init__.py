"""Models: training, artefacts, serving, evaluation."""
