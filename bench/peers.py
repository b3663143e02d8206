"""Networks that others would use: an LSTM over a window, and the temporal fusion transformer."""

from __future__ import annotations

import warnings
from operator import itemgetter
from typing import Any, Final

import torch
from torch import Tensor, nn

from litehedge.model.layout import HIDDEN, N_RAW

WINDOW: Final = 120
LAYERS: Final = 2
HEADS: Final = 4
HIDDEN_PER_VARIABLE: Final = 16
MISSING: Final = "pytorch-forecasting is not installed: pip install 'litehedge[bench]'"


class WindowLstm(nn.Module):
    """Two LSTM layers over a window, ``(batch, time, 2 * inputs)`` -> ``(batch, N_RAW)``."""

    def __init__(self, inputs: int, dropout: float = 0.2) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2 * inputs, HIDDEN, LAYERS, batch_first=True, dropout=dropout)
        self.head = nn.Linear(HIDDEN, N_RAW)

    def forward(self, u: Tensor) -> Tensor:
        """Return what the last frame of each window is told."""
        raw: Tensor = self.head(self.lstm(u)[0][:, -1])
        return raw


class Transformer(nn.Module):
    """TFT of pytorch-forecasting, ``(batch, time, inputs)`` -> ``(batch, outputs)``.

    The library's network alone: its data sets are made for forecasts of the series itself, and
    its trainer would be measured with it. Lead time is the one input known of the future.

    Raises
    ------
    ImportError
        When the library is missing.
    """

    def __init__(self, inputs: int, outputs: int, dropout: float = 0.2) -> None:
        super().__init__()
        try:
            from pytorch_forecasting import TemporalFusionTransformer
            from pytorch_forecasting.metrics import MAE
        except ImportError as error:
            raise ImportError(MISSING) from error
        names = [f"x{i}" for i in range(inputs)]
        nothing: Any = []
        warnings.filterwarnings("ignore", message="Attribute '.*' is an instance of `nn.Module`")
        self.network = TemporalFusionTransformer(
            hidden_size=HIDDEN, hidden_continuous_size=HIDDEN_PER_VARIABLE, lstm_layers=LAYERS,
            attention_head_size=HEADS, dropout=dropout, max_encoder_length=WINDOW,
            output_size=outputs, output_transformer=itemgetter("prediction"), loss=MAE(),
            time_varying_reals_encoder=names, time_varying_reals_decoder=["lead"],
            x_reals=[*names, "lead"], x_categoricals=nothing, static_categoricals=nothing,
            static_reals=nothing, time_varying_categoricals_encoder=nothing,
            time_varying_categoricals_decoder=nothing, categorical_groups={}, embedding_sizes={},
            embedding_paddings=nothing, embedding_labels={}, logging_metrics=nn.ModuleList(),
        )  # fmt: skip

    def forward(self, z: Tensor) -> Tensor:
        """Return logits one step ahead."""
        batch, time, inputs = z.shape
        none = torch.zeros(batch, time, 0, dtype=torch.int64)
        found: Tensor = self.network(
            {
                "encoder_cont": torch.cat((z, z.new_zeros(batch, time, 1)), dim=-1),
                "decoder_cont": z.new_ones(batch, 1, inputs + 1),
                "encoder_cat": none, "decoder_cat": none[:, :1],
                "encoder_lengths": torch.full((batch,), time),
                "decoder_lengths": torch.ones(batch, dtype=torch.int64),
                "target_scale": z.new_ones(batch, 2),
            }
        )["prediction"]  # fmt: skip
        return found[:, 0]
