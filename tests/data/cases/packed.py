import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.r = nn.LSTM(16, 16, batch_first=True)
        self.cell = nn.LSTMCell(16, 16)

    def forward(self, x):
        p = pack_padded_sequence(x, torch.full((len(x),), x.shape[1]), batch_first=True)
        y, _ = pad_packed_sequence(self.r(p)[0], batch_first=True)
        return self.cell(y[:, 0])[0]
