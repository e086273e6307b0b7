import torch
from torch import nn


class A(nn.Module):  # part of a parameter, expanded over the batch, then copied by reshape
    def __init__(self):
        super().__init__()
        self.p = nn.Parameter(torch.randn(2, 4, 8))
        self.c = nn.Linear(8, 8)

    def forward(self, x):
        return self.c(torch.cat((self.p[0].expand(len(x), -1, -1).reshape(len(x), 4, 8), x), 1))


class B(A):  # the whole parameter
    def forward(self, x):
        return self.c(torch.cat((self.p.expand(len(x), -1, -1, -1).reshape(len(x), 8, 8), x), 1))


class C(A):  # half, .repeat
    def forward(self, x):
        return self.c(torch.cat((self.p[0].repeat(len(x), 1, 1), x), 1))


class D(A):  # half, expand without the copy
    def forward(self, x):
        return self.c(torch.cat((self.p[0].expand(len(x), -1, -1), x), 1))


class E(A):  # half, contiguous
    def forward(self, x):
        return self.c(torch.cat((self.p[0].expand(len(x), -1, -1).contiguous(), x), 1))


class F(A):  # chunk
    def forward(self, x):
        a, _b = self.p.chunk(2)
        return self.c(torch.cat((a.expand(len(x), -1, -1).flatten(0, 0), x), 1))
