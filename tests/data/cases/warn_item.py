"""transformers reads input_ids once, to warn about missing masks (warn_if_padding_and_no_attention_mask): every field is '?'."""

from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Embedding(100, 16)
        self.a = nn.TransformerEncoderLayer(16, 2, batch_first=True)

    def forward(self, ids):
        if 0 in ids[:, [-1, 0]]:
            print("We strongly recommend passing in an attention_mask", flush=True)
        return self.a(self.e(ids))
