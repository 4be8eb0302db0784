"""The goals model's log likelihood with its gradient and Hessian, written out by hand.

Goals of home side i and away side j are Poisson with rates λ = exp(μ + h + aᵢ − dⱼ) and ν = exp(μ + aⱼ − dᵢ), times
the correction τ of the four lowest scores (Dixon and Coles 1997): 1 − λνρ at 0-0, 1 + λρ at 0-1, 1 + νρ at 1-0, 1 − ρ
at 1-1. Attack a and defence d of the sides, and what newcomers have in common (γ), have their prior in
`domain.prediction.goals_prior`.

A vector of parameters is [μ, h, ρ, γ, a₁…aₙ, d₁…dₙ]; any number of vectors may be stacked before the last axis.
"""

from typing import Final

import numpy as np

from domain.prediction.checks import Floats
from domain.prediction.goals_table import GoalsTable

LEVEL, HOME, RHO, NEWCOMER, SHARED = 0, 1, 2, 3, 4
"""Positions of μ, h, ρ and γ, and how many parameters come before the teams'."""

RATE_LOGS_MAX: Final = 4.0
"""Log rates beyond this (55 goals) are out of the question: the density is 0."""

# τ = 1 + sign·ρ·u with u = λν, λ, ν, 1: by low score the sign, whether u has λ, and whether it has ν.
_LOW: Final = ((-1.0, 1.0, 1.0), (1.0, 1.0, 0.0), (1.0, 0.0, 1.0), (-1.0, 0.0, 0.0))
_SIGNS, _HAS_HOME, _HAS_AWAY = np.array(_LOW).T[..., None, None]


def log_likelihood(table: GoalsTable, vectors: Floats) -> tuple[Floats, Floats]:
    """Give the weighted log likelihood (…) and its gradient (…, parameters); −inf where a low score has no probability.

    What does not depend on the parameters (log factorials) is left out.
    """
    teams = len(table.teams)
    attack, defence = vectors[..., SHARED : SHARED + teams], vectors[..., SHARED + teams :]
    level, home, rho = (vectors[..., at, None, None] for at in (LEVEL, HOME, RHO))
    home_logs = level + home + attack[..., :, None] - defence[..., None, :]
    away_logs = level + attack[..., None, :] - defence[..., :, None]
    possible = np.maximum(home_logs.max((-1, -2)), away_logs.max((-1, -2))) < RATE_LOGS_MAX
    home_rates = np.exp(np.minimum(home_logs, RATE_LOGS_MAX))
    away_rates = np.exp(np.minimum(away_logs, RATE_LOGS_MAX))
    value = (
        table.home_goals * home_logs
        + table.away_goals * away_logs
        - table.weight * (home_rates + away_rates)
    ).sum((-1, -2))
    home_slope = table.home_goals - table.weight * home_rates
    away_slope = table.away_goals - table.weight * away_rates
    rho_slope = np.zeros(vectors.shape[:-1])
    products = (home_rates * away_rates, home_rates, away_rates, np.ones_like(home_rates))
    for low, product, (sign, has_home, has_away) in zip(table.low, products, _LOW, strict=True):
        tau = 1 + sign * rho * product
        possible &= ((tau > 0) | (low == 0)).all((-1, -2))
        tau = np.where(tau > 0, tau, 1.0)
        value += (low * np.log(tau)).sum((-1, -2))
        by_rho = low * sign * product / tau
        rho_slope += by_rho.sum((-1, -2))
        if has_home:
            home_slope = home_slope + rho * by_rho
        if has_away:
            away_slope = away_slope + rho * by_rho
    gradient = _by_parameter(home_slope, away_slope)
    gradient[..., RHO] = rho_slope
    return np.where(possible, value, -np.inf), gradient


def likelihood_hessian(table: GoalsTable, vector: Floats) -> Floats:
    """Give the Hessian (parameters, parameters) of the log likelihood at one vector where it is finite."""
    teams = len(table.teams)
    attack, defence = vector[SHARED : SHARED + teams], vector[SHARED + teams :]
    level, home, rho = vector[LEVEL], vector[HOME], vector[RHO]
    home_rates = np.exp(level + home + attack[:, None] - defence[None, :])
    away_rates = np.exp(level + attack[None, :] - defence[:, None])
    products = np.stack([home_rates * away_rates, home_rates, away_rates, np.ones_like(home_rates)])
    # With q = ∂log τ/∂ρ and z = ρq, each factor of u has the slope z, and every second derivative z − z².
    q = _SIGNS * products / (1 + _SIGNS * rho * products)
    z = rho * q
    second = table.low * (z - z**2)
    with_rho = table.low * q * (1 - z)
    both_home = (_HAS_HOME * second).sum(0) - table.weight * home_rates
    both_away = (_HAS_AWAY * second).sum(0) - table.weight * away_rates
    mixed = (_HAS_HOME * _HAS_AWAY * second).sum(0)
    home_rho, away_rho = (_HAS_HOME * with_rho).sum(0), (_HAS_AWAY * with_rho).sum(0)

    hessian = np.zeros((len(vector), len(vector)))
    a, d = slice(SHARED, SHARED + teams), slice(SHARED + teams, None)
    to_home, to_away = both_home + mixed, both_away + mixed
    hessian[LEVEL, LEVEL] = to_home.sum() + to_away.sum()
    hessian[LEVEL, HOME], hessian[HOME, HOME] = to_home.sum(), both_home.sum()
    hessian[LEVEL, RHO], hessian[HOME, RHO] = home_rho.sum() + away_rho.sum(), home_rho.sum()
    hessian[RHO, RHO] = -(table.low * q**2).sum()
    hessian[LEVEL, a] = to_home.sum(1) + to_away.sum(0)
    hessian[LEVEL, d] = -to_home.sum(0) - to_away.sum(1)
    hessian[HOME, a] = both_home.sum(1) + mixed.sum(0)
    hessian[HOME, d] = -both_home.sum(0) - mixed.sum(1)
    hessian[RHO, a] = home_rho.sum(1) + away_rho.sum(0)
    hessian[RHO, d] = -home_rho.sum(0) - away_rho.sum(1)
    hessian[a, a] = np.diag(both_home.sum(1) + both_away.sum(0)) + mixed + mixed.T
    hessian[d, d] = np.diag(both_home.sum(0) + both_away.sum(1)) + mixed + mixed.T
    hessian[a, d] = -both_home - both_away.T - np.diag(mixed.sum(1) + mixed.sum(0))
    upper: Floats = np.triu(hessian)
    return upper + np.triu(hessian, 1).T


def skew(table: GoalsTable, vector: Floats, spread: Floats) -> Floats:
    """Give ½Σ∂³ log likelihood · covariance, shape (parameters,): how the density leans at its mode.

    `spread`·spreadᵀ is the covariance. The third derivative of a Poisson likelihood by a log rate is minus the rate;
    that of the correction of low scores is left out, for it is small.
    """
    teams = len(table.teams)
    attack, defence = vector[SHARED : SHARED + teams], vector[SHARED + teams :]
    home_logs = vector[LEVEL] + vector[HOME] + attack[:, None] - defence[None, :]
    away_logs = vector[LEVEL] + attack[None, :] - defence[:, None]
    # Rows of `spread` are parameters, so those of a log rate are sums of them.
    of_attack, of_defence = spread[SHARED : SHARED + teams], spread[SHARED + teams :]
    of_home = spread[LEVEL] + spread[HOME] + of_attack[:, None] - of_defence[None, :]
    of_away = spread[LEVEL] + of_attack[None, :] - of_defence[:, None]
    return _by_parameter(
        -0.5 * table.weight * np.exp(home_logs) * (of_home**2).sum(-1),
        -0.5 * table.weight * np.exp(away_logs) * (of_away**2).sum(-1),
    )


def _by_parameter(home_slope: Floats, away_slope: Floats) -> Floats:
    """Sum slopes by the log rates (…, teams, teams) to slopes by the parameters (…, parameters), ρ and γ left at 0."""
    teams = home_slope.shape[-1]
    found = np.zeros((*home_slope.shape[:-2], SHARED + 2 * teams))
    found[..., LEVEL] = home_slope.sum((-1, -2)) + away_slope.sum((-1, -2))
    found[..., HOME] = home_slope.sum((-1, -2))
    found[..., SHARED : SHARED + teams] = home_slope.sum(-1) + away_slope.sum(-2)
    found[..., SHARED + teams :] = -home_slope.sum(-2) - away_slope.sum(-1)
    return found
