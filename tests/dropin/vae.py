"""A variational autoencoder: reparameterization, BCE with logits, KL divergence."""

import torch
from common import floats, integers
from torch import nn, optim
from torch.nn import functional as F

STEPS, BATCH, PIXELS, LATENT = 30, 16, 36, 3


class VAE(nn.Module):
    """36 pixels -> 3 latent numbers -> 36 logits."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(PIXELS, 24)
        self.fc21 = nn.Linear(24, LATENT)
        self.fc22 = nn.Linear(24, LATENT)
        self.decoder = nn.Sequential(nn.Linear(LATENT, 24), nn.LeakyReLU(0.1), nn.Linear(24, PIXELS))
        self.noise = None

    def encode(self, x):
        """Return mean and log variance."""
        h1 = F.silu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        """Return mu + std * noise; the noise may be given."""
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std) if self.noise is None else self.noise
        return mu + eps * std

    def decode(self, z):
        """Return logits of the pixels."""
        return self.decoder(z)

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, PIXELS))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    """Return reconstruction and divergence, each summed over pixels and averaged over the batch."""
    bce = F.binary_cross_entropy_with_logits(recon_x, x.view(-1, PIXELS), reduction="sum") / len(x)
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp()) / len(x)
    return bce, kld


def main(init=None):
    """Return the three losses of every step."""
    corner = integers(1, 4, STEPS * BATCH, 2)
    place = torch.arange(6)
    rows = (place - corner[:, :1]).clamp(0, 3) == place - corner[:, :1]
    columns = (place - corner[:, 1:]).clamp(0, 3) == place - corner[:, 1:]
    images = (rows.unsqueeze(2) & columns.unsqueeze(1)).float()  # (samples, 6, 6), a square of up to 4 x 4
    print(images[0].int())

    model = VAE()
    print(model)
    if init:
        init(model)
    optimizer = optim.Adam(model.parameters(), lr=1e-2, betas=(0.9, 0.99), amsgrad=False)
    curve = []
    for step, data in enumerate(images.split(BATCH)):
        model.noise = floats(100 + step, BATCH, LATENT)
        optimizer.zero_grad()
        recon_batch, mu, logvar = model(data)
        bce, kld = loss_function(recon_batch, data, mu, logvar)
        loss = bce + min(1.0, step / 10) * kld
        loss.backward()
        optimizer.step()
        curve += [loss.item(), bce.detach().item(), kld.detach().item()]

    model.eval()
    model.noise = None
    with torch.inference_mode():
        sample = torch.sigmoid(model.decode(torch.randn(5, LATENT)))
        print(sample.shape, bool(((sample >= 0) & (sample <= 1)).all()), sample.requires_grad)
        probabilities = model.decode(floats(7, 2, LATENT)).sigmoid()
    return curve + probabilities.flatten().tolist()


if __name__ == "__main__":
    main()
