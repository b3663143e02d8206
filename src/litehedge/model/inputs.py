"""What a network sees of standardised values, in torch; `standards` says it for serving."""

from __future__ import annotations

import torch
from torch import Tensor


def inputs_of(z: Tensor) -> Tensor:
    """Return values, 0 where missing, then 1 where missing: ``(..., input)`` -> ``(..., 2n)``."""
    missing = torch.isnan(z)
    return torch.cat((torch.nan_to_num(z), missing.to(z.dtype)), dim=-1)
