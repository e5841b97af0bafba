"""A recurrent cell by hand: names of two made-up languages told apart, then text with truncated BPTT."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from common import integers

LETTERS = "abcdefghijklmnopqrstuvwxyz"
NAMES = {
    "Northern": ["halvek", "bjorn", "tryk", "skadi", "orvik", "hrolf", "gunnv", "eirik", "asgard", "ulfr"],
    "Southern": ["amaro", "lucia", "olea", "sirena", "paolo", "adela", "mirao", "elisa", "talia", "oriana"],
}


def line_to_tensor(line):
    """Return one-hot rows of shape (letters, 1, alphabet)."""
    tensor = torch.zeros(len(line), 1, len(LETTERS))
    for li, letter in enumerate(line):
        tensor[li][0][LETTERS.index(letter)] = 1
    return tensor


class RNN(nn.Module):
    """h' = tanh(W_i x + W_h h), out = log_softmax(W_o h')."""

    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)
        self.h2o = nn.Linear(hidden_size, output_size)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, input, hidden):
        hidden = torch.tanh(self.i2h(input) + self.h2h(hidden))
        return self.softmax(self.h2o(hidden)), hidden

    def init_hidden(self, batch=1):
        """Return the state before the first letter."""
        return torch.zeros(batch, self.hidden_size)


def classify(init):
    """Train on single names, updating the parameters by hand with add_."""
    rnn = RNN(len(LETTERS), 16, 2)
    print(rnn)
    if init:
        init(rnn, 3)
    criterion = nn.NLLLoss()
    losses = []
    for i in range(20):
        category = i % 2
        line_tensor = line_to_tensor(list(NAMES.values())[category][i // 2])
        hidden = rnn.init_hidden()
        rnn.zero_grad()
        for letter in line_tensor:
            output, hidden = rnn(letter, hidden)
        loss = criterion(output, torch.tensor([category]))
        loss.backward()
        for p in rnn.parameters():
            p.data.add_(p.grad.data, alpha=-0.1)
        losses.append(loss.item())
    top_v, top_i = output.topk(1)
    print(list(NAMES)[top_i[0].item()], top_v.shape)
    return losses


class GRUCell(nn.Module):
    """Update gate z, reset gate r, candidate n; gates from one matrix product, split by chunk."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.x2g = nn.Linear(input_size, 3 * hidden_size)
        self.h2g = nn.Linear(hidden_size, 3 * hidden_size, bias=False)

    def forward(self, x, h):
        xr, xz, xn = self.x2g(x).chunk(3, dim=-1)
        hr, hz, hn = self.h2g(h).chunk(3, -1)
        r = torch.sigmoid(xr + hr)
        z = torch.sigmoid(xz + hz)
        n = torch.tanh(xn + r * hn)
        return (1 - z) * n + z * h


class CharModel(nn.Module):
    """Embedding, GRU cell over time, head."""

    def __init__(self, vocab, hidden):
        super().__init__()
        self.embed = nn.Embedding(vocab, 12)
        self.cell = GRUCell(12, hidden)
        self.head = nn.Linear(hidden, vocab)

    def forward(self, tokens, h):
        steps = []
        for x in self.embed(tokens).unbind(1):  # over time
            h = self.cell(x, h)
            steps.append(h)
        return self.head(torch.stack(steps, dim=1)), h


def repackage_hidden(h):
    """Cut the history, so that backward stops here."""
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage_hidden(v) for v in h)


def language_model(init):
    """Truncated backpropagation through time on a periodic sequence with noise."""
    vocab, batch, bptt = 11, 4, 8
    stream = (torch.arange(20 * bptt + 1) * 3 + torch.arange(batch).unsqueeze(1)) % 7  # (batch, time)
    stream = stream + integers(4, 2, *stream.shape) * (stream == 2).long() * 4
    model = CharModel(vocab, 24)
    if init:
        init(model, 4)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=5e-3)
    hidden = torch.zeros(batch, 24)
    losses = []
    for i in range(0, stream.size(1) - 1, bptt):
        seq = stream[:, i : i + bptt]
        target = stream[:, i + 1 : i + 1 + bptt]
        hidden = repackage_hidden(hidden)
        optimizer.zero_grad()
        logits, hidden = model(seq, hidden)
        loss = F.cross_entropy(logits.permute(0, 2, 1), target)  # classes second, time last
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5)
        optimizer.step()
        losses.append(loss.item())
    print("hidden has history:", hidden.requires_grad, repackage_hidden((hidden,))[0].requires_grad)
    return losses


def main(init=None):
    """Return the losses of both tasks."""
    print(line_to_tensor("ab").size(), line_to_tensor("ab").nonzero().tolist())
    return classify(init) + language_model(init)


if __name__ == "__main__":
    main()
