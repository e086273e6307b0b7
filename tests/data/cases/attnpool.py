"""CLIP's AttentionPool2d (open_clip, OpenAI CLIP): F.multi_head_attention_forward with separate projection weights."""

import torch
from torch import nn
from torch.nn import functional as F


class AttnPool(nn.Module):
    def __init__(self, side=7, dim=64, heads=4, out=32):
        super().__init__()
        self.pos = nn.Parameter(torch.randn(side * side + 1, dim))
        self.k_proj, self.q_proj, self.v_proj = (nn.Linear(dim, dim) for _ in range(3))
        self.c_proj = nn.Linear(dim, out)
        self.heads = heads

    def forward(self, x):
        x = x.flatten(2).permute(2, 0, 1)
        x = torch.cat([x.mean(dim=0, keepdim=True), x], dim=0) + self.pos[:, None]
        x, _ = F.multi_head_attention_forward(
            query=x,
            key=x,
            value=x,
            embed_dim_to_check=x.shape[-1],
            num_heads=self.heads,
            q_proj_weight=self.q_proj.weight,
            k_proj_weight=self.k_proj.weight,
            v_proj_weight=self.v_proj.weight,
            in_proj_weight=None,
            in_proj_bias=torch.cat([self.q_proj.bias, self.k_proj.bias, self.v_proj.bias]),
            bias_k=None,
            bias_v=None,
            add_zero_attn=False,
            dropout_p=0.0,
            out_proj_weight=self.c_proj.weight,
            out_proj_bias=self.c_proj.bias,
            use_separate_proj_weight=True,
            training=self.training,
            need_weights=False,
        )
        return x[0]


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 64, 3, padding=1), AttnPool())
