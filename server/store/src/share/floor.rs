//! Who is at work, who waits in line, and who was there lately.

use contract::TenantId;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::{Duration, Instant},
};

/// A tenant that was at work within this is one that others leave room for.
const LATELY: Duration = Duration::from_secs(1);

/// The processors of a process, and the tenants at work on them.
#[derive(Debug)]
pub(super) struct Floor {
    processors: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Of tenants that are at work or wait.
    lines: HashMap<TenantId, Line>,
    at_work: usize,
    waiting: usize,
    tickets: u64,
    /// The two tenants that were at work last, the last one first: whoever is not the one is beside the other.
    last: [Option<(TenantId, Instant)>; 2],
}

#[derive(Debug, Default)]
struct Line {
    at_work: usize,
    waiting: VecDeque<(Ticket, Waker)>,
}

/// A place in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

impl Floor {
    pub fn of(processors: usize) -> Self {
        Self { processors, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether work of `tenant` goes on now. If not it is woken when its turn comes, and asks again with its ticket.
    pub fn enter(&self, tenant: TenantId, ticket: &mut Option<Ticket>, waker: &Waker) -> bool {
        let mut state = self.state();
        let goes = state.may(tenant, self.processors, Instant::now());
        if goes {
            state.enter(tenant, ticket);
        } else {
            state.wait(tenant, ticket, waker);
        }
        goes
    }

    /// It goes on whether it may or not.
    pub fn force(&self, tenant: TenantId, ticket: &mut Option<Ticket>) {
        self.state().enter(tenant, ticket);
    }

    /// What was at work is not any more, and whoever waited for that is woken.
    pub fn leave(&self, tenant: TenantId) {
        let mut state = self.state();
        state.at_work = state.at_work.saturating_sub(1);
        if let Some(line) = state.lines.get_mut(&tenant) {
            line.at_work = line.at_work.saturating_sub(1);
        }
        let own = state.next(tenant);
        let others = if state.at_work + 1 < self.processors { state.next_of_others(tenant) } else { Vec::new() };
        drop(state);
        own.into_iter().chain(others).for_each(Waker::wake);
    }

    /// Whoever had the ticket does not wait any more. If it had been called, the next one is.
    pub fn give_up(&self, tenant: TenantId, ticket: Ticket) {
        let mut state = self.state();
        let woken = if state.leave_line(tenant, ticket) { None } else { state.next(tenant) };
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl State {
    fn may(&mut self, tenant: TenantId, processors: usize, now: Instant) -> bool {
        let beside_another = self.beside_another(tenant, now);
        let own = self.lines.get(&tenant).map_or(0, |line| line.at_work);
        !beside_another || own == 0 || self.at_work + 1 < processors
    }

    /// Notes that `tenant` is there, and says whether another one was lately.
    fn beside_another(&mut self, tenant: TenantId, now: Instant) -> bool {
        if !matches!(self.last[0], Some((last, _)) if last == tenant) {
            self.last.swap(0, 1);
        }
        self.last[0] = Some((tenant, now));
        matches!(self.last[1], Some((_, at)) if now.duration_since(at) < LATELY)
    }

    fn enter(&mut self, tenant: TenantId, ticket: &mut Option<Ticket>) {
        if let Some(ticket) = ticket.take() {
            self.leave_line(tenant, ticket);
        }
        self.at_work += 1;
        self.lines.entry(tenant).or_default().at_work += 1;
    }

    fn wait(&mut self, tenant: TenantId, ticket: &mut Option<Ticket>, waker: &Waker) {
        let number = *ticket.get_or_insert_with(|| {
            self.tickets += 1;
            Ticket(self.tickets)
        });
        let line = &mut self.lines.entry(tenant).or_default().waiting;
        match line.iter_mut().find(|(waiting, _)| *waiting == number) {
            Some((_, known)) => known.clone_from(waker),
            None => {
                line.push_back((number, waker.clone()));
                self.waiting += 1;
            }
        }
    }

    /// Calls the first of a tenant's line, and forgets a tenant that neither works nor waits.
    fn next(&mut self, tenant: TenantId) -> Option<Waker> {
        let line = self.lines.get_mut(&tenant)?;
        let next = line.waiting.pop_front();
        if line.at_work == 0 && line.waiting.is_empty() {
            self.lines.remove(&tenant);
        }
        let (_, waker) = next?;
        self.waiting -= 1;
        Some(waker)
    }

    fn next_of_others(&mut self, tenant: TenantId) -> Vec<Waker> {
        if self.waiting == 0 {
            return Vec::new();
        }
        let others: Vec<_> = self.lines.keys().copied().filter(|other| *other != tenant).collect();
        others.into_iter().filter_map(|other| self.next(other)).collect()
    }

    /// Whether the ticket was still in line, and not called yet.
    fn leave_line(&mut self, tenant: TenantId, ticket: Ticket) -> bool {
        let Some(line) = self.lines.get_mut(&tenant) else { return false };
        let Some(place) = line.waiting.iter().position(|(waiting, _)| *waiting == ticket) else { return false };
        line.waiting.remove(place);
        self.waiting -= 1;
        if line.at_work == 0 && line.waiting.is_empty() {
            self.lines.remove(&tenant);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What asks to go on, and whether it may.
    fn ask(floor: &Floor, tenant: TenantId) -> Result<(), Ticket> {
        let mut ticket = None;
        let goes = floor.enter(tenant, &mut ticket, Waker::noop());
        if goes { Ok(()) } else { Err(ticket.unwrap()) }
    }

    #[test]
    fn alone_a_tenant_has_all_processors_and_more() {
        let (floor, one) = (Floor::of(2), TenantId::new());
        for _ in 0..10 {
            ask(&floor, one).unwrap();
        }
    }

    #[test]
    fn beside_another_the_first_always_goes_and_more_only_while_a_processor_is_left() {
        let (floor, quiet, loud) = (Floor::of(3), TenantId::new(), TenantId::new());
        ask(&floor, quiet).unwrap();
        floor.leave(quiet);
        ask(&floor, loud).unwrap();
        ask(&floor, loud).unwrap();
        ask(&floor, loud).unwrap_err();
        ask(&floor, quiet).unwrap();
        ask(&floor, quiet).unwrap_err();
        ask(&floor, TenantId::new()).unwrap();
    }

    #[test]
    fn who_leaves_calls_the_next_in_line_and_who_gives_up_its_call_passes_it_on() {
        let (floor, quiet, loud) = (Floor::of(2), TenantId::new(), TenantId::new());
        ask(&floor, quiet).unwrap();
        floor.leave(quiet);
        ask(&floor, loud).unwrap();
        let waiting: Vec<_> = (0..3).map(|_| ask(&floor, loud).unwrap_err()).collect();
        floor.leave(loud);
        assert_eq!(floor.state().waiting, 2, "the first is called");
        floor.give_up(loud, waiting[0]);
        assert_eq!(floor.state().waiting, 1, "and with it the second");
        floor.give_up(loud, waiting[2]);
        let mut second = Some(waiting[1]);
        assert!(floor.enter(loud, &mut second, Waker::noop()));
        floor.leave(loud);
        let state = floor.state();
        assert_eq!((state.at_work, state.waiting, state.lines.len()), (0, 0, 0));
    }
}
